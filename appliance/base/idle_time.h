// SPDX-License-Identifier: MIT
// Whether the machine has time to spare: what can wait for an idle processor may then.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace headgate::base {

/// What some processors have done since the machine started, in clock ticks.
struct ProcessorTime {
  std::uint64_t idle = 0;   ///< of it, with nothing to do or waiting for a disk
  std::uint64_t total = 0;  ///< everything
};

/// The sum over the processors of `text` (proc_stat(5), its lines "cpu0 …") that `allowed` names;
/// the others and what is not understood count nothing. Errors: none. Threads: any.
ProcessorTime processor_time(std::string_view text, const std::vector<bool>& allowed);

/// Tells between calls whether the processors that this process may use were idle for at least a
/// tenth of the time. Errors: none; where /proc cannot be read, they never are. Threads: one.
class IdleTime {
 public:
  /// Since the last call; no at the first one, which has nothing to look back to. Calls that follow
  /// within a few ticks repeat the answer.
  bool is_left();
  /// The same of a given time, which only grows.
  bool is_left(ProcessorTime now);

  /// What the last call went by.
  ProcessorTime seen() const { return before_; }

 private:
  ProcessorTime before_;
  bool left_ = false;
  bool is_first_ = true;
};

}  // namespace headgate::base
