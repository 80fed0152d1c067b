// SPDX-License-Identifier: MIT
#include "appliance/http/method.h"

#include <algorithm>
#include <array>

namespace headgate::http {

bool is_safe(std::string_view method) {
  constexpr std::array<std::string_view, 9> kSafe = {
      "GET", "HEAD", "OPTIONS", "PRI", "PROPFIND", "QUERY", "REPORT", "SEARCH", "TRACE"};
  return std::find(kSafe.begin(), kSafe.end(), method) != kSafe.end();
}

}  // namespace headgate::http
