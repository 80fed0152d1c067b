// SPDX-License-Identifier: MIT
// What may be stored, for how long it is fresh, and how old it was when it came.
#include "appliance/http/caching.h"

#include <algorithm>
#include <array>

#include "appliance/http/vary.h"

namespace headgate::http {
namespace {

bool is_never_stored(int status) {
  constexpr std::array<int, 7> kCodes = {206, 304, 416, 428, 429, 431, 511};
  return status < 200 || std::find(kCodes.begin(), kCodes.end(), status) != kCodes.end();
}

/// Like std::clamp, but defined for bounds that contradict each other: then the minimum holds.
Duration bounded(Duration value, const TtlPolicy& policy) {
  return std::max(policy.min, std::min(value, policy.max));
}

}  // namespace

bool may_store(int status, const CacheDirectives& directives, Fields response,
               const TtlPolicy& policy, bool request_has_authorization) {
  if (is_never_stored(status) || policy.max <= Duration::zero()) return false;
  // Still set only when the status code is one whose rules we do not know.
  if (directives.must_understand) return false;
  const bool overridden = policy.min > Duration::zero();
  if (!overridden && (directives.no_store || directives.is_private)) return false;
  if (request_has_authorization && !directives.allows_authorization) return false;
  if (varies_on_everything(response)) return false;
  const bool origin_says_so = directives.explicit_lifetime || directives.is_public;
  if (find(response, "set-cookie") && !origin_says_so) return false;
  return origin_says_so || directives.heuristics_allowed || overridden;
}

Duration freshness_lifetime(const CacheDirectives& directives, const TtlPolicy& policy) {
  if (directives.no_store || directives.no_cache || directives.is_private) return policy.min;
  if (directives.explicit_lifetime) return bounded(*directives.explicit_lifetime, policy);
  if (!directives.heuristics_allowed) return policy.min;
  if (policy.default_ttl > Duration::zero()) return std::max(policy.min, policy.default_ttl);
  return bounded(directives.heuristic_lifetime.value_or(Duration::zero()), policy);
}

Duration initial_age(Fields response, base::WallTime received_at, Duration response_delay) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  std::int64_t age_seconds = 0;
  // Only the first member of the first line counts; anything but digits makes it none.
  std::string_view rest = find(response, "age").value_or("");
  std::string_view member;
  if (next_list_member(rest, member) && std::all_of(member.begin(), member.end(), is_digit))
    for (const char digit : member) age_seconds = std::min(kMost, age_seconds * 10 + (digit - '0'));

  Duration apparent_age{};
  if (const auto date = parse_http_date(find(response, "date").value_or(""), received_at))
    apparent_age = std::max(Duration::zero(), received_at - *date);
  const Duration corrected_age = std::chrono::seconds(age_seconds) + response_delay;
  return std::max(apparent_age, corrected_age);
}

}  // namespace headgate::http
