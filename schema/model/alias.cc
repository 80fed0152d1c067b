// SPDX-License-Identifier: MIT
// Host names and the aliases that stand for them.
#include "schema/model/alias.h"

namespace headgate::schema {

bool alias_covers(std::string_view alias, std::string_view host) {
  if (alias == "*" || alias == host) return true;
  return alias.starts_with("*.") && host.size() >= alias.size() && host.ends_with(alias.substr(1));
}

std::string first_host(const Distribution& distribution) {
  for (const std::string& alias : distribution.aliases)
    if (alias.find('*') == std::string::npos) return alias;
  return {};
}

}  // namespace headgate::schema
