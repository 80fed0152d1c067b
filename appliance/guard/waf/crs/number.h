// SPDX-License-Identifier: MIT
// Numbers as rules compare and add them.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>

namespace headgate::guard::waf {

/// As C's strtol reads it: white space, a sign, digits; what is no number is 0, what is too great
/// the greatest.
inline std::int64_t number(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || (text.front() >= '\t' && text.front() <= '\r')))
    text.remove_prefix(1);
  const bool negative = text.starts_with('-');
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  (void)end;
  if (error == std::errc::result_out_of_range)
    return negative ? std::numeric_limits<std::int64_t>::min()
                    : std::numeric_limits<std::int64_t>::max();
  return value;
}

/// Sums stop at the ends of the range.
inline std::int64_t add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? std::numeric_limits<std::int64_t>::min()
               : std::numeric_limits<std::int64_t>::max();
}

}  // namespace headgate::guard::waf
