// SPDX-License-Identifier: MIT
// A request as one line of JSON, whatever the client sent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "appliance/observe/record.h"

namespace headgate::observe {

/// Formats records. Every line is one valid JSON object in UTF-8 with a line feed at its end and
/// none inside; README.md lists the members. Does not allocate. Threads: one each.
class LineFormatter {
 public:
  /// No line is longer, in octets.
  static constexpr std::size_t kMaxLine = 60 * 1024;

  /// At least the length of the line that `format` makes of the same record.
  static std::size_t bound(const RequestRecord& record);
  /// Writes at most `bound(record)` octets to `out`; returns how many.
  std::size_t format(const RequestRecord& record, char* out);

 private:
  char* format_time(base::WallTime time, char* out);

  std::int64_t cached_second_ = -1;
  char cached_text_[20] = {};  ///< 2026-11-20T10:32:01
};

}  // namespace headgate::observe
