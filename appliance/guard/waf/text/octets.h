// SPDX-License-Identifier: MIT
// Classes of octets as C's locale "C" has them, for text that may hold any octet.
#pragma once

#include <string_view>

namespace headgate::guard::waf::text {

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_octal(char c) { return c >= '0' && c <= '7'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_alpha(char c) { return is_upper(c) || (c >= 'a' && c <= 'z'); }
constexpr bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
constexpr char to_lower(char c) { return is_upper(c) ? static_cast<char>(c + 32) : c; }

/// 0 to 15, or -1 for what is not a hexadecimal digit.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
constexpr bool is_hex(char c) { return hex_value(c) >= 0; }

/// The octet of two hexadecimal digits.
constexpr char hex_octet(char high, char low) {
  return static_cast<char>(hex_value(high) * 16 + hex_value(low));
}

/// Whether `count` hexadecimal digits begin at `at`.
constexpr bool hex_digits_at(std::string_view in, std::size_t at, std::size_t count) {
  if (at + count > in.size()) return false;
  for (std::size_t i = at; i < at + count; ++i) {
    if (!is_hex(in[i])) return false;
  }
  return true;
}

/// The ASCII character that U+hhhh stands for where only one octet is kept: its lower octet, and
/// for the full width forms U+FF01 to U+FF5E the character they are a form of. `digits` are four.
constexpr char narrow(std::string_view digits) {
  const char low = hex_octet(digits[2], digits[3]);
  const bool full_width = to_lower(digits[0]) == 'f' && to_lower(digits[1]) == 'f';
  return full_width && low > 0x00 && low < 0x5f ? static_cast<char>(low + 0x20) : low;
}

}  // namespace headgate::guard::waf::text
