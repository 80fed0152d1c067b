// SPDX-License-Identifier: MIT
// Text of IP addresses, in and out, without the C library: no terminator, no allocation, no zone
// ids, no octal.
#include "appliance/base/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace headgate::base {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

/// Dotted decimal, four parts, no leading zeros (some read those as octal).
bool parse_v4(std::string_view text, std::uint8_t* out) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (at == end || *at != '.') return false;
      ++at;
    }
    int value = 0;
    const char* const start = at;
    while (at != end && *at >= '0' && *at <= '9' && at - start < 3)
      value = value * 10 + (*at++ - '0');
    if (at == start || value > 255 || (at - start > 1 && *start == '0')) return false;
    out[part] = static_cast<std::uint8_t>(value);
  }
  return at == end;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// RFC 4291 section 2.2, all three forms.
bool parse_v6(std::string_view text, std::uint8_t* out) {
  std::array<std::uint8_t, 16> octets{};
  std::size_t filled = 0;  // octets so far
  std::size_t gap = 17;    // where "::" stands; 17: nowhere
  std::size_t at = 0;
  if (text.substr(0, 2) == "::") {
    gap = 0;
    at = 2;
  }
  while (at < text.size()) {
    if (filled == 16) return false;
    const std::size_t group = at;
    unsigned value = 0;
    while (at < text.size() && at - group < 4 && hex_digit(text[at]) >= 0) {
      value = value << 4 | static_cast<unsigned>(hex_digit(text[at++]));
    }
    if (at < text.size() && text[at] == '.') {  // the last 32 bits in dotted decimal
      if (filled > 12 || !parse_v4(text.substr(group), octets.data() + filled)) return false;
      filled += 4;
      break;
    }
    if (at == group) return false;
    octets[filled++] = static_cast<std::uint8_t>(value >> 8);
    octets[filled++] = static_cast<std::uint8_t>(value & 0xff);
    if (at == text.size()) break;
    if (text[at++] != ':') return false;
    if (at == text.size()) return false;  // a single colon at the end
    if (text[at] == ':') {
      if (gap != 17) return false;
      gap = filled;
      ++at;
    }
  }
  if (gap == 17) {
    if (filled != 16) return false;
  } else {
    if (filled > 14) return false;  // "::" stands for at least one group
    std::copy_backward(octets.begin() + static_cast<std::ptrdiff_t>(gap),
                       octets.begin() + static_cast<std::ptrdiff_t>(filled), octets.end());
    std::fill(octets.begin() + static_cast<std::ptrdiff_t>(gap),
              octets.begin() + static_cast<std::ptrdiff_t>(gap + 16 - filled), std::uint8_t{0});
  }
  std::memcpy(out, octets.data(), octets.size());
  return true;
}

char* format_v4(const std::uint8_t* octets, char* out) {
  for (int part = 0; part < 4; ++part) {
    if (part > 0) *out++ = '.';
    out = std::to_chars(out, out + 3, static_cast<unsigned>(octets[part])).ptr;
  }
  return out;
}

/// RFC 5952: lower case, no leading zeros, "::" for the first longest run of two or more zero
/// groups.
char* format_v6(const std::uint8_t* octets, char* out) {
  std::array<unsigned, 8> groups;
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = static_cast<unsigned>(octets[2 * i]) << 8 | octets[2 * i + 1];
  }
  std::size_t best = 8;
  std::size_t best_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) {
      best = i;
      best_length = end - i;
    }
    i = end + 1;
  }
  for (std::size_t i = 0; i < 8;) {
    if (i == best) {
      *out++ = ':';
      *out++ = ':';
      i += best_length;
      continue;
    }
    if (i > 0 && i != best + best_length) *out++ = ':';
    out = std::to_chars(out, out + 4, groups[i], 16).ptr;
    ++i;
  }
  return out;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() < 2 || text.size() > 45) return std::nullopt;
  IpAddress address;
  if (text.find(':') == std::string_view::npos) {
    if (!parse_v4(text, address.octets_.data())) return std::nullopt;
    address.family_ = 4;
    return address;
  }
  std::array<std::uint8_t, 16> octets;
  if (!parse_v6(text, octets.data())) return std::nullopt;
  return from_v6(octets);
}

IpAddress IpAddress::from_v4(const std::array<std::uint8_t, 4>& octets) {
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  address.family_ = 4;
  return address;
}

IpAddress IpAddress::from_v6(const std::array<std::uint8_t, 16>& octets) {
  IpAddress address;
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets.begin())) {
    std::copy(octets.begin() + 12, octets.end(), address.octets_.begin());
    address.family_ = 4;
  } else {
    address.octets_ = octets;
    address.family_ = 6;
  }
  return address;
}

IpAddress IpAddress::from_sockaddr(const sockaddr* address) {
  if (address == nullptr) return {};
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    return from_v4(octets);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    std::array<std::uint8_t, 16> octets;
    std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
    return from_v6(octets);
  }
  return {};
}

std::size_t IpAddress::format(char* out) const {
  if (family_ == 4) return static_cast<std::size_t>(format_v4(octets_.data(), out) - out);
  if (family_ == 6) return static_cast<std::size_t>(format_v6(octets_.data(), out) - out);
  return 0;
}

std::string IpAddress::text() const {
  char buffer[46];
  return {buffer, format(buffer)};
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address_text = text.substr(0, slash);
  const auto address = IpAddress::parse(address_text);
  if (!address) return std::nullopt;
  const bool written_as_v6 = address_text.find(':') != std::string_view::npos;

  int length = written_as_v6 ? 128 : 32;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0'))
      return std::nullopt;
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size() || value < 0 ||
        value > length) {
      return std::nullopt;
    }
    length = value;
  }
  if (written_as_v6 && address->is_v4()) {  // ::ffff:10.0.0.0/104 is 10.0.0.0/8
    if (length < kMappedBits) return std::nullopt;
    length -= kMappedBits;
  }
  IpNetwork network;
  network.base_ = *address;
  network.prefix_length_ = length;
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  if (address.is_v4() != base_.is_v4() || address.is_v6() != base_.is_v6()) return false;
  if (!address.is_v4() && !address.is_v6()) return false;
  const auto whole = static_cast<std::size_t>(prefix_length_ / 8);
  const int rest = prefix_length_ % 8;
  const auto& mine = base_.octets();
  const auto& theirs = address.octets();
  if (std::memcmp(mine.data(), theirs.data(), whole) != 0) return false;
  return rest == 0 || (mine[whole] ^ theirs[whole]) >> (8 - rest) == 0;
}

}  // namespace headgate::base
