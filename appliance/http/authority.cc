// SPDX-License-Identifier: MIT
#include "appliance/http/authority.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "appliance/http/field.h"

namespace headgate::http {
namespace {

/// reg-name of RFC 3986; pct-encoded octets are let through undecoded, they match no alias.
constexpr bool is_name_char(char c) {
  return is_alpha(c) || is_digit(c) ||
         std::string_view("-._~%!$&'()*+,;=").find(c) != std::string_view::npos;
}

bool parse_port(std::string_view text, std::optional<std::uint16_t>& port) {
  if (text.empty()) return true;  // "example.com:" is valid and means the default
  std::uint32_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
    if (value > 65535) return false;
  }
  port = static_cast<std::uint16_t>(value);
  return true;
}

bool parse_ipv6(std::string_view text, std::string& host) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  // A NUL would end what inet_pton reads.
  if (text.empty() || text.size() >= buffer.size() || text.find('\0') != text.npos) return false;
  std::copy(text.begin(), text.end(), buffer.begin());
  in6_addr address{};
  if (inet_pton(AF_INET6, buffer.data(), &address) != 1) return false;
  inet_ntop(AF_INET6, &address, buffer.data(), buffer.size());
  host = buffer.data();
  return true;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority authority;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    if (!parse_ipv6(text.substr(1, close - 1), authority.host)) return std::nullopt;
    authority.is_ipv6 = true;
    text.remove_prefix(close + 1);
    if (text.empty()) return authority;
    if (text.front() != ':' || !parse_port(text.substr(1), authority.port)) return std::nullopt;
    return authority;
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && !parse_port(text.substr(colon + 1), authority.port))
    return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || !std::all_of(host.begin(), host.end(), is_name_char)) return std::nullopt;
  authority.host.resize(host.size());
  std::transform(host.begin(), host.end(), authority.host.begin(), to_lower);
  return authority;
}

}  // namespace headgate::http
