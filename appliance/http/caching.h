// SPDX-License-Identifier: MIT
// RFC 9111 with CloudFront's minimum, default and maximum TTL on top, as functions of what was received. TTLs are applied when serving,
// so that an edited policy acts on responses already stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "appliance/base/time.h"
#include "appliance/http/field.h"

namespace headgate::http {

/// The bounds of a cache policy; min ≤ default ≤ max.
struct TtlPolicy {
  Duration min{};
  Duration default_ttl{};
  Duration max{};
};

/// What the response's own fields say about caching, parsed once when it is received. RFC 9111 section 5.2.2.
struct CacheDirectives {
  bool no_store = false;
  bool no_cache = false;  ///< without field names
  bool is_private = false;  ///< without field names
  bool is_public = false;
  bool must_revalidate = false;   ///< also proxy-revalidate and s-maxage
  bool must_understand = false;
  std::optional<Duration> explicit_lifetime;  ///< s-maxage, else max-age, else Expires - Date; zero when a date is invalid
  std::optional<Duration> stale_while_revalidate;
  std::optional<Duration> stale_if_error;
  std::optional<Duration> heuristic_lifetime;  ///< 10 % of Date - Last-Modified, for the status codes that allow it
  bool has_cache_control_or_expires = false;
};

/// Parses Cache-Control, Expires, Date and Last-Modified of a response received at `received_at`.
/// Errors: none; what cannot be parsed is ignored, an invalid Expires is "already expired" (section 5.3).
CacheDirectives parse_directives(int status, Fields response, base::WallTime received_at);

/// Whether a shared cache may store the response at all under `policy`. CloudFront: a minimum above zero overrides no-store, no-cache
/// and private. RFC 9111 section 3. `request_has_authorization` asks for public, s-maxage or must-revalidate (section 3.5).
bool may_store(int status, const CacheDirectives& directives, Fields response, const TtlPolicy& policy,
               bool request_has_authorization);

/// How long the response is fresh under `policy`, counted from its generation at the origin. CloudFront's table, features.md R050.
Duration freshness_lifetime(const CacheDirectives& directives, const TtlPolicy& policy);

/// Age at receipt: RFC 9111 section 4.2.3, corrected_initial_age. `response_delay` is the time from request to response.
Duration initial_age(Fields response, base::WallTime received_at, Duration response_delay);

/// RFC 9110 section 5.6.7; accepts the three date formats. Nothing else.
std::optional<base::WallTime> parse_http_date(std::string_view text);
/// IMF-fixdate into `out` (29 octets).
void format_http_date(base::WallTime time, char* out);

}  // namespace headgate::http
