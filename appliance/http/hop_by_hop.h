// SPDX-License-Identifier: MIT
// Fields that end at this hop: RFC 9110 section 7.6.1, RFC 9111 section 3.1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "appliance/http/field.h"

namespace headgate::http {

/// Those that are so by name, whatever Connection says.
bool is_hop_by_hop(std::string_view name);

/// Which fields of one message a proxy drops: the hop-by-hop ones and those that its Connection
/// lines name. Content-Length, Host, Cache-Control and Vary cannot be named away: they are for
/// every recipient, and losing one would change what the message means. Lifetime: views into the
/// message's fields.
class HopByHop {
 public:
  explicit HopByHop(Fields fields);
  bool drops(std::string_view name) const {
    return is_hop_by_hop(name) || (!named_.empty() && connection_names(name));
  }

 private:
  bool connection_names(std::string_view name) const;

  std::vector<std::string> named_;  ///< lower case, sorted; of the usual options none
};

}  // namespace headgate::http
