// SPDX-License-Identifier: MIT
// What a body, or a query, is found to hold.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::guard::waf {

/// Views into the text that was parsed, or into the arena that the parser was given.
struct NamedValue {
  std::string_view name;
  std::string_view value;
};

struct BodyLimits {
  std::size_t arguments = 1000;  ///< of each kind; more are left out
  std::size_t depth = 64;        ///< of JSON and XML; deeper is an error besides
};

/// What a parser found. A parser that meets an error says so and keeps what it found before.
struct BodyContent {
  std::vector<NamedValue> arguments;     ///< in order
  std::vector<NamedValue> files;         ///< of multipart: the part's name, and the file's
  std::vector<NamedValue> part_headers;  ///< of multipart: the part's name, and the whole line
  std::size_t file_octets = 0;
  std::string xml_text;  ///< all character data
  std::vector<std::string_view> xml_attributes;
  /// More of anything, larger or deeper than the limits: what is beyond them is not here.
  bool too_many_arguments = false;
  bool invalid_url_encoding = false;
  bool multipart_strict_error = false;  ///< anything that a strict sender would not write
  /// 0: none; 1: a line that looks like a boundary and is not; 2: as 1, but of an open boundary.
  int multipart_unmatched_boundary = 0;
  std::string error;  ///< empty: none
};

}  // namespace headgate::guard::waf
