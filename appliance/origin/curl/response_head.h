// SPDX-License-Identifier: MIT
// Collects the lines of a response's head as libcurl hands them out, and refuses what two readers
// could understand differently.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/http/field.h"

namespace headgate::origin {

/// Most field lines of one head.
inline constexpr std::size_t kMaxHeadFields = 128;
/// Most octets of all heads of a response, interim ones included.
inline constexpr std::size_t kMaxHeadOctets = 64 * 1024;

/// Lines in, fields out. RFC 9112 sections 4 and 5 (obsolete folding becomes one space),
/// section 6.3 (framing). Threads: one.
class HeadCollector {
 public:
  enum class Verdict { More, Complete, Malformed };

  /// Takes one line with its line end. Complete on the empty line that ends a head; then `fields`
  /// holds until the next line, with which another head (after an interim response) starts.
  Verdict add_line(std::string_view line);
  /// Forgets everything, for another try of the same request.
  void reset();

  http::Fields fields() const { return fields_; }
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  bool is_chunked() const { return is_chunked_; }
  /// Why the verdict was Malformed.
  std::string_view error() const { return error_; }
  /// Octets so far.
  std::size_t octets() const { return octets_; }

 private:
  struct Line {
    std::size_t name = 0, name_size = 0, value = 0, value_size = 0;
  };

  Verdict malformed(std::string_view error);
  Verdict start_head(std::string_view line);
  Verdict add_field(std::string_view line);
  Verdict fold(std::string_view line);
  Verdict finish_head();
  std::string_view text(std::size_t offset, std::size_t size) const {
    return std::string_view(text_).substr(offset, size);
  }

  bool inside_ = false;
  std::size_t octets_ = 0;
  std::string text_;
  std::vector<Line> lines_;
  std::vector<http::Field> fields_;
  std::optional<std::uint64_t> content_length_;
  bool is_chunked_ = false;
  std::string_view error_;
};

}  // namespace headgate::origin
