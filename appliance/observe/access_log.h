// SPDX-License-Identifier: MIT
// The access log: a JSON line a request, written by a thread of its own; a slow disk costs lines,
// counted, never requests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "appliance/observe/metrics.h"
#include "appliance/observe/record.h"
#include "schema/base/result.h"

namespace headgate::observe {

class AccessLog {
 public:
  /// A worker's end: formats into a buffer of its own, hands full (or 100 ms old) buffers to the
  /// writer. Threads: the worker's.
  class Channel {
   public:
    virtual ~Channel() = default;
    /// Does not block, does not allocate once warm; drops the line, counted, when too many buffers
    /// wait for the writer.
    virtual void write(const RequestRecord& record) = 0;
    /// To be called at least every 100 ms by the worker's loop: hands over what is waiting.
    virtual void flush() = 0;
  };

  /// `target`: a path, or "-" for standard output. Errors: Blame::Config when it cannot be opened
  /// for appending.
  static Result<std::unique_ptr<AccessLog>> open(const std::string& target);
  /// Writes what was handed over; gives a pipe that nobody reads 2 s. Channels destroyed before
  /// have handed over all.
  virtual ~AccessLog() = default;
  virtual std::unique_ptr<Channel> add_worker() = 0;
  /// Opens the file again, for log rotation (SIGHUP, like the rest of the world). On an error the
  /// old file stays in use. Threads: any.
  virtual Status reopen() = 0;
  /// Lines that are in the target. Threads: any.
  virtual std::uint64_t lines_written() const = 0;
  /// Lines that never got there: the writer was too far behind, or the disk refused them. Threads:
  /// any.
  virtual std::uint64_t lines_dropped() const = 0;
};

/// headgate_access_log_lines_total{result}, for Metrics::contribute.
std::vector<Family> access_log_families(const AccessLog& log);

}  // namespace headgate::observe
