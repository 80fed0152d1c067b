// SPDX-License-Identifier: MIT
// Preconditions and ranges that the edge answers from a stored response: RFC 9110 sections 13
// and 14.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::http {

/// Whether a GET or HEAD with these preconditions is answered by 304 from a stored 200.
/// If-None-Match beats If-Modified-Since (section 13.2.2); weak comparison (section 8.8.3.2).
bool is_not_modified(Fields request, Fields stored);

/// Whether two entity-tags match by weak comparison (section 8.8.3.2).
bool matches_weakly(std::string_view tag, std::string_view other);

/// Octets [first, last] of a representation.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

enum class RangeVerdict { Ignore, Satisfiable, Unsatisfiable };

/// The parts of a representation that a request asks for, at most kMax of them.
struct ByteRanges {
  static constexpr std::size_t kMax = 16;
  std::array<ByteRange, kMax> parts;
  std::size_t count = 0;
};

/// `Range: bytes=…` against a stored 200 of `length` octets, If-Range considered (strong
/// comparison). Parts that overlap or touch become one, in the order in which they were asked for;
/// those beyond the end are left out (RFC 9110 sections 14.2 and 15.3.7.2). Other units, malformed
/// fields and more than ByteRanges::kMax parts are ignored: the whole representation is a valid
/// answer.
RangeVerdict evaluate_range(Fields request, Fields stored, std::uint64_t length,
                            ByteRanges& ranges);

/// What tells a representation from every other one of its resource, as If-Range takes it: a strong
/// entity-tag, or a Last-Modified at least a second before Date (sections 8.8.2.2, 13.1.5). Nothing
/// when `response` has neither: its parts cannot be put together with those of another response.
std::optional<std::string_view> strong_validator(Fields response);

/// `bytes FIRST-LAST/COMPLETE` (section 14.4): where the octets of a 206 belong. `complete` is 0
/// when it is not known. Errors: nothing when malformed.
struct ContentRange {
  ByteRange range;
  std::uint64_t complete = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view value);

}  // namespace headgate::http
