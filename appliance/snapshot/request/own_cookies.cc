// SPDX-License-Identifier: MIT
#include "appliance/snapshot/request/own_cookies.h"

#include <string>

#include "appliance/guard/waf/challenge/challenge.h"
#include "appliance/http/cookie.h"
#include "appliance/snapshot/request/cache_key.h"
#include "appliance/snapshot/split.h"

namespace headgate::snapshot {
namespace {

bool is_own(std::string_view name) {
  return name == Split::kCookie || name == guard::waf::kChallengeCookie;
}

}  // namespace

bool has_own_cookie(http::Fields request) {
  const auto cookies = http::find(request, "cookie");
  // What both names have in common: most requests end here.
  if (!cookies || cookies->find("eadgate-") == std::string_view::npos) return false;
  http::CookiePair pair;
  for (http::CookieReader reader(*cookies); reader.next(pair);)
    if (is_own(pair.name)) return true;
  return false;
}

std::optional<std::string_view> viewer_cookies(http::Fields request,
                                               std::pmr::memory_resource& memory) {
  const auto cookies = http::find(request, "cookie");
  if (!cookies || !has_own_cookie(request)) return cookies;
  std::pmr::string others(&memory);
  http::CookiePair pair;
  for (http::CookieReader reader(*cookies); reader.next(pair);) {
    if (is_own(pair.name)) continue;
    if (!others.empty()) others += "; ";
    others += pair.raw;
  }
  if (others.empty()) return std::nullopt;
  return persist_in(memory, others);
}

}  // namespace headgate::snapshot
