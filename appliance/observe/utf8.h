// SPDX-License-Identifier: MIT
// Which octets are UTF-8: what clients send goes to logs and pages only as text that others can
// read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headgate::observe {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

/// How many octets the character at the start of `text` takes, 1 to 4; 0 when it is not well-formed
/// (RFC 3629 section 4).
inline std::size_t utf8_sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (at(i) & 0xC0) == 0x80; };
  if (text.empty()) return 0;
  const std::uint8_t first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !continues(1)) return 0;
  if (first < 0xE0) return 2;
  if (!continues(2)) return 0;
  if (first < 0xF0) {
    const bool overlong = first == 0xE0 && at(1) < 0xA0;
    const bool surrogate = first == 0xED && at(1) > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (!continues(3)) return 0;
  const bool overlong = first == 0xF0 && at(1) < 0x90;
  const bool beyond = first == 0xF4 && at(1) > 0x8F;
  return overlong || beyond ? 0 : 4;
}

}  // namespace headgate::observe
