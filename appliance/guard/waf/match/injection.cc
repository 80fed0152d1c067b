// SPDX-License-Identifier: MIT
// The only file that knows libinjection.
#include "appliance/guard/waf/match/injection.h"

#include <libinjection.h>

namespace headgate::guard::waf {

bool is_sql_injection(std::string_view text, SqliFingerprint* fingerprint) {
  SqliFingerprint ignored;
  if (text.empty()) return false;
  return libinjection_sqli(text.data(), text.size(),
                           (fingerprint == nullptr ? ignored : *fingerprint).octets.data()) != 0;
}

bool is_cross_site_scripting(std::string_view text) {
  if (text.empty()) return false;  // null is nothing that the library reads
  return libinjection_xss(text.data(), text.size()) != 0;
}

}  // namespace headgate::guard::waf
