// SPDX-License-Identifier: MIT
// Who the client is: the socket's peer, or whom trusted proxies name. Found once, before anything
// decides by it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/ip_address.h"
#include "appliance/http/field.h"

namespace headgate::guard {

/// `trustedProxies`, compiled. Threads: immutable.
class TrustedProxies {
 public:
  TrustedProxies() = default;
  explicit TrustedProxies(std::vector<base::IpNetwork> networks) : networks_(std::move(networks)) {}
  bool trusts(const base::IpAddress& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  std::vector<base::IpNetwork> networks_;
};

/// `peer` unless it is trusted; then the last address of X-Forwarded-For, or of Forwarded (RFC
/// 7239) where the former is absent, that is not itself a trusted proxy, read from the right.
/// Obfuscated or malformed elements end the walk: what is to their right stands. X-Forwarded-For
/// goes first because most proxies write only that one and pass on whatever Forwarded the client
/// sent.
base::IpAddress client_address(const base::IpAddress& peer, const TrustedProxies& proxies,
                               http::Fields request);

/// The PROXY protocol's head, versions 1 and 2 (TCP over IPv4 and IPv6; LOCAL and UNKNOWN keep the
/// socket's peer).
struct ProxyHeader {
  enum class Status { NeedMore, Absent, Malformed, Complete };
  Status status = Status::Absent;
  std::size_t length = 0;  ///< octets to skip when Complete
  std::optional<base::IpAddress> source;
  std::uint16_t source_port = 0;
};
/// `octets`: the first ones of a connection. Never needs more than 536.
ProxyHeader parse_proxy_header(std::string_view octets);

}  // namespace headgate::guard
