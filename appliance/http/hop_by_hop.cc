// SPDX-License-Identifier: MIT
#include "appliance/http/hop_by_hop.h"

#include <algorithm>
#include <array>

namespace headgate::http {

bool is_hop_by_hop(std::string_view name) {
  constexpr std::array<std::string_view, 10> kNames = {"connection",
                                                       "keep-alive",
                                                       "proxy-authenticate",
                                                       "proxy-authentication-info",
                                                       "proxy-authorization",
                                                       "proxy-connection",
                                                       "te",
                                                       "trailer",
                                                       "transfer-encoding",
                                                       "upgrade"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool HopByHop::connection_names(std::string_view name) const {
  constexpr std::array<std::string_view, 4> kForEveryRecipient = {"cache-control", "content-length",
                                                                  "host", "vary"};
  if (std::find(kForEveryRecipient.begin(), kForEveryRecipient.end(), name) !=
      kForEveryRecipient.end())
    return false;
  for (const Field& field : fields_) {
    if (field.name != "connection") continue;
    std::string_view rest = field.value;
    std::string_view option;
    while (next_list_member(rest, option))
      if (equals_ignoring_case(option, name)) return true;
  }
  return false;
}

}  // namespace headgate::http
