// SPDX-License-Identifier: MIT
// Host and :authority taken apart and brought into the one form that routing and cache keys use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headgate::http {

/// `host`: lower case, without a trailing dot; an IP literal in its canonical text, IPv6 without
/// brackets.
struct Authority {
  std::string host;
  std::optional<std::uint16_t> port;
  bool is_ipv6 = false;
};

/// "Example.COM.:8080", "[2001:DB8::1]:443", "192.0.2.1".
/// Errors: null for anything that is not host and optional port of RFC 3986 section 3.2.2: user
/// information, spaces, an empty host, a port above 65535, an IPv6 address without brackets.
std::optional<Authority> parse_authority(std::string_view text);

}  // namespace headgate::http
