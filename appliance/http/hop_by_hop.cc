// SPDX-License-Identifier: MIT
#include "appliance/http/hop_by_hop.h"

#include <algorithm>
#include <array>
#include <functional>

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

HopByHop::HopByHop(Fields fields) {
  constexpr std::array<std::string_view, 4> kForEveryRecipient = {"cache-control", "content-length",
                                                                  "host", "vary"};
  for (const Field& field : fields) {
    if (field.name != "connection") continue;
    std::string_view rest = field.value;
    std::string_view option;
    while (next_list_member(rest, option)) {
      if (equals_ignoring_case(option, "close") || equals_ignoring_case(option, "keep-alive"))
        continue;
      std::string name(option);
      std::transform(name.begin(), name.end(), name.begin(), to_lower);
      if (is_hop_by_hop(name) || std::count(kForEveryRecipient.begin(), kForEveryRecipient.end(),
                                            std::string_view(name)) != 0)
        continue;
      named_.push_back(std::move(name));
    }
  }
  std::sort(named_.begin(), named_.end());
}

bool HopByHop::connection_names(std::string_view name) const {
  return std::binary_search(named_.begin(), named_.end(), name, std::less<>());
}

}  // namespace headgate::http
