// SPDX-License-Identifier: MIT
// The far end of the access log: a file, a pipe or standard output that may be full, slow or gone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::observe {

/// A descriptor for appending to `target`, "-" being standard output. Never waits for a reader of a
/// named pipe. Errors: Blame::Config with the path and the reason.
Result<int> open_log(const std::string& target);

/// Writes whole lines. A line that a failing write tore is finished first when writing works again,
/// so that the file holds whole lines only. Threads: the writer's.
class LogFile {
 public:
  /// Owns `fd`. Once `stopping`, a target that takes nothing is given up after 2 s.
  LogFile(std::string name, int fd, const std::atomic<bool>& stopping);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  /// `lines`: how many there are in `text`. Returns how many of them are lost.
  std::uint64_t write(std::string_view text, std::uint64_t lines);
  /// Goes on with another descriptor. Returns how many lines are lost by that: a torn one, if there
  /// is.
  std::uint64_t replace(int fd);

 private:
  bool write_some(std::string_view& text);
  bool wait_writable();
  void report(int error);
  void inspect();

  std::string name_;
  int fd_;
  const std::atomic<bool>& stopping_;
  bool regular_ = true;
  std::string torn_;  ///< the rest of a line whose start is in the file
  bool failing_ = false;
  std::chrono::steady_clock::time_point reported_at_{};
  std::optional<std::chrono::steady_clock::time_point> give_up_at_;
};

}  // namespace headgate::observe
