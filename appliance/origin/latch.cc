// SPDX-License-Identifier: MIT
#include "appliance/origin/latch.h"

namespace headgate::origin {

void Latch::failed(base::MonoTime now) {
  if (options_.failures == 0 || is_sick()) return;
  const Duration::rep time = now.time_since_epoch().count();
  // Workers that fail at the same moment may count one failure too few: it comes to the same.
  const bool begins_again =
      failures_.load(std::memory_order_relaxed) == 0 ||
      time - first_failure_.load(std::memory_order_relaxed) > options_.within.count();
  if (begins_again) {
    first_failure_.store(time, std::memory_order_relaxed);
    failures_.store(0, std::memory_order_relaxed);
  }
  if (failures_.fetch_add(1, std::memory_order_relaxed) + 1 < options_.failures) return;
  next_probe_.store(time + options_.probe_every.count(), std::memory_order_relaxed);
  sick_.store(true, std::memory_order_release);
}

void Latch::succeeded() {
  // Hardly ever true: the line that all workers read stays theirs.
  if (failures_.load(std::memory_order_relaxed) == 0 && !is_sick()) return;
  failures_.store(0, std::memory_order_relaxed);
  sick_.store(false, std::memory_order_release);
}

bool Latch::take_probe(base::MonoTime now) {
  if (!is_sick()) return false;
  const Duration::rep time = now.time_since_epoch().count();
  Duration::rep due = next_probe_.load(std::memory_order_relaxed);
  return time >= due && next_probe_.compare_exchange_strong(
                            due, time + options_.probe_every.count(), std::memory_order_relaxed);
}

}  // namespace headgate::origin
