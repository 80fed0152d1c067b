// SPDX-License-Identifier: MIT
// Reads traces of requests: lines of `time,key,size`.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::cache {

/// ```
/// trace := ["time,key,size" LF] line*
/// line  := time "," key "," size [CR] LF
/// ```
/// `time`: digits with at most one point, seconds since whenever; lines are in order, it is not
/// compared. `key`: at least one octet, commas included, no line feed. `size`: octets, at most
/// 16 TiB. Empty lines are passed over. Threads: none of its own.
class TraceReader {
 public:
  static constexpr std::uint64_t kMaxSize = std::uint64_t{16} << 40;
  static constexpr std::size_t kMaxLine = 64 * 1024;

  struct Request {
    std::string_view key;  ///< until the next call
    std::uint64_t size_bytes = 0;
  };
  enum class Got { Request, Malformed, End };

  /// "-": standard input. Errors: what the system says of the file.
  static Result<TraceReader> open(const std::string& path);
  TraceReader(TraceReader&& other) noexcept;
  TraceReader& operator=(TraceReader&&) = delete;
  ~TraceReader();

  /// Malformed: `problem` says where and why; the next call goes on with the next line.
  Got next(Request& request);
  /// "FILE:LINE: expected …, found …"; for a terminal.
  const std::string& problem() const { return problem_; }
  /// The system's, once `next` has said End; 0: all was read.
  int read_error() const { return read_error_; }

  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t file_bytes() const { return file_bytes_; }  ///< 0: not known

 private:
  TraceReader(std::string name, std::FILE* file, std::uint64_t file_bytes);
  enum class Line { Whole, TooLong, End };
  Line read_line(std::string_view& line);
  bool fill();
  Got malformed(const char* expected, std::string_view line);

  std::string name_;
  std::FILE* file_;
  std::uint64_t file_bytes_;
  std::string buffer_;
  std::size_t next_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t line_number_ = 0;
  std::string problem_;
  int read_error_ = 0;
};

}  // namespace headgate::cache
