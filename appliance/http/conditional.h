// SPDX-License-Identifier: MIT
// Preconditions and ranges that the edge answers from a stored response: RFC 9110 sections 13
// and 14.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::http {

/// Whether a GET or HEAD with these preconditions is answered by 304 from a stored 200.
/// If-None-Match beats If-Modified-Since (section 13.2.2); weak comparison (section 8.8.3.2).
bool is_not_modified(Fields request, Fields stored);

/// Octets [first, last] of a representation.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

enum class RangeVerdict { Ignore, Satisfiable, Unsatisfiable };

/// A single-range `Range: bytes=…` against a complete stored 200 of `length` octets, If-Range
/// considered (strong comparison). Several ranges, other units and malformed fields are ignored:
/// the whole representation is a valid answer.
RangeVerdict evaluate_range(Fields request, Fields stored, std::uint64_t length, ByteRange& range);

}  // namespace headgate::http
