// SPDX-License-Identifier: MIT
// How long the loop waits: the poll interval with jitter, longer and longer while the source fails.
#include "reconciler/loop/pace.h"

#include <algorithm>

namespace headgate::reconciler {

Pace::Pace(Duration poll, std::uint32_t seed) : poll_(poll), random_(seed) {}

Duration Pace::next_wait() {
  Duration wait = poll_;
  if (failures_ > 0) {
    const Duration first = std::min<Duration>(poll_, std::chrono::seconds(1));
    const Duration most = std::max<Duration>(poll_, std::chrono::seconds(30));
    wait = std::min(most, first * (1 << std::min(failures_ - 1, 16U)));
  }
  const auto spread = wait.count() / 10;
  return wait + Duration(std::uniform_int_distribution<Duration::rep>(-spread, spread)(random_));
}

}  // namespace headgate::reconciler
