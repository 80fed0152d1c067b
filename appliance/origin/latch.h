// SPDX-License-Identifier: MIT
// Remembers that an origin is down, so that requests which have another way do not wait for it.
#pragma once

#include <atomic>
#include <cstdint>

#include "appliance/base/time.h"

namespace headgate::origin {

/// Sick after `failures` exchanges in a row failed within `within`; well again after one that did
/// not. While it is sick one probe is due every `probe_every`. Shared by all workers and by the
/// Snapshots that know the same origin. Threads: any; nobody waits.
class Latch {
 public:
  struct Options {
    std::uint32_t failures = 5;  ///< 0: never sick
    Duration within = std::chrono::seconds(10);
    Duration probe_every = std::chrono::seconds(2);
    friend bool operator==(const Options&, const Options&) = default;
  };

  explicit Latch(Options options) : options_(options) {}

  void failed(base::MonoTime now);
  void succeeded();
  bool is_sick() const { return sick_.load(std::memory_order_relaxed); }
  /// True for one caller in every `probe_every` while sick: it asks the origin, and reports.
  bool take_probe(base::MonoTime now);
  const Options& options() const { return options_; }

 private:
  using Time = std::atomic<Duration::rep>;
  const Options options_;
  std::atomic<std::uint32_t> failures_{0};
  Time first_failure_{0};
  Time next_probe_{0};
  std::atomic<bool> sick_{false};
};

}  // namespace headgate::origin
