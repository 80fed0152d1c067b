// SPDX-License-Identifier: MIT
// Addresses and networks, IPv4 and IPv6, as one set.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "appliance/base/ip_address.h"
#include "schema/base/result.h"

namespace headgate::guard::waf {

/// Membership in logarithmic time and 32 octets a network: networks that touch are one range.
/// Threads: const members are safe everywhere.
class IpSet {
 public:
  /// Adds "192.0.2.0/24", "2001:db8::/32" or a bare address. Errors: anything else.
  Status add(std::string_view network);
  /// To be called after the last add() and before contains().
  void finish();
  bool contains(const base::IpAddress& address) const;
  bool empty() const { return v4_.empty() && v6_.empty(); }

 private:
  using Octets = std::array<std::uint8_t, 16>;
  struct Range {
    Octets first;
    Octets last;
  };
  std::vector<Range> v4_;
  std::vector<Range> v6_;
};

}  // namespace headgate::guard::waf
