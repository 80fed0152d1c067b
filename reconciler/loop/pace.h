// SPDX-License-Identifier: MIT
// How long the loop waits: the poll interval with jitter, longer and longer while the source fails.
#pragma once

#include <random>

#include "schema/base/units.h"

namespace headgate::reconciler {

/// Threads: one.
class Pace {
 public:
  /// `poll` is never clamped. Failures are retried after 1 s (or `poll`, when that is shorter),
  /// doubling up to 30 s (or `poll`, when that is longer).
  explicit Pace(Duration poll, std::uint32_t seed = std::random_device{}());
  /// Until the next round, ±10 % so that a fleet does not ask at once.
  Duration next_wait();
  void succeeded() { failures_ = 0; }
  void failed() { ++failures_; }

 private:
  Duration poll_;
  unsigned failures_ = 0;
  std::minstd_rand random_;
};

}  // namespace headgate::reconciler
