// SPDX-License-Identifier: MIT
// Numbers in as few octets as they need: seven bits each, lowest first, the eighth says that more
// follow. For memory of this process, not for what comes from elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace headgate::base {

inline constexpr std::size_t kMaxVarint = 10;

/// At most kMaxVarint octets; returns the end.
inline char* put_varint(char* to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

/// Moves `from` behind the number.
inline std::uint64_t get_varint(const char*& from) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto octet = static_cast<unsigned char>(*from++);
    value |= std::uint64_t{octet & 0x7fU} << shift;
    if (octet < 0x80) return value;
  }
}

constexpr std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

/// Signed ones near zero are short, too.
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

}  // namespace headgate::base
