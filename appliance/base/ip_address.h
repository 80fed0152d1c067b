// SPDX-License-Identifier: MIT
// IP addresses and networks as values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace headgate::base {

/// IPv4 or IPv6; an IPv4-mapped IPv6 address is the IPv4 address.
class IpAddress {
 public:
  IpAddress() = default;  ///< unspecified: not v4, not v6
  /// A literal without port and brackets; none when it is not one. Zone ids are refused.
  static std::optional<IpAddress> parse(std::string_view text);
  /// AF_INET and AF_INET6; unspecified for others (unix sockets).
  static IpAddress from_sockaddr(const sockaddr* address);
  /// Octets in network byte order.
  static IpAddress from_v4(const std::array<std::uint8_t, 4>& octets);
  static IpAddress from_v6(const std::array<std::uint8_t, 16>& octets);

  bool is_v4() const { return family_ == 4; }
  bool is_v6() const { return family_ == 6; }
  /// Network byte order; 4 octets for v4, 16 for v6.
  const std::array<std::uint8_t, 16>& octets() const { return octets_; }
  std::string text() const;
  /// Writes text() without allocating; returns its length. `out` has room for 46 octets.
  std::size_t format(char* out) const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  std::uint8_t family_ = 0;
};

/// `10.0.0.0/8`, `2001:db8::/32`; a bare address is a network of one. Bits behind the prefix do not
/// count.
class IpNetwork {
 public:
  static std::optional<IpNetwork> parse(std::string_view text);
  bool contains(const IpAddress& address) const;

 private:
  IpAddress base_;
  int prefix_length_ = 0;
};

}  // namespace headgate::base
