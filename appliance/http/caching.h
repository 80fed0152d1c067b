// SPDX-License-Identifier: MIT
// RFC 9111 with CloudFront's minimum, default and maximum TTL on top, as functions of what was
// received. TTLs are applied when serving, so that an edited policy acts on responses already
// stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/http/field.h"

namespace headgate::http {

/// The bounds of a cache policy; min ≤ default ≤ max.
struct TtlPolicy {
  Duration min{};
  Duration default_ttl{};
  Duration max{};
};

/// What the response's own fields say about caching, parsed once when it is received. RFC 9111
/// section 5.2.2.
struct CacheDirectives {
  bool no_store = false;    ///< not set when must-understand lifts it (section 5.2.2.3)
  bool no_cache = false;    ///< without field names
  bool is_private = false;  ///< without field names
  bool is_public = false;
  bool must_revalidate = false;  ///< also proxy-revalidate and s-maxage
  bool must_understand = false;
  std::optional<Duration> explicit_lifetime;  ///< s-maxage, else max-age, else Expires - Date; zero
                                              ///< when a date is invalid
  std::optional<Duration> stale_while_revalidate;
  std::optional<Duration> stale_if_error;
  std::optional<Duration>
      heuristic_lifetime;  ///< 10 % of Date - Last-Modified, for the status codes that allow it
  bool has_cache_control_or_expires = false;
  bool heuristics_allowed =
      false;  ///< by the status code (RFC 9110 section 15.1) or by public: defaults may apply
  bool allows_authorization = false;  ///< public, s-maxage or must-revalidate: RFC 9111 section 3.5
};

/// Parses Cache-Control, Expires, Date and Last-Modified of a response received at `received_at`. A
/// valid CDN-Cache-Control replaces Cache-Control and Expires (RFC 9213); one that is no valid
/// dictionary is as if it were not there. Errors: none; an unknown directive is ignored, an invalid
/// lifetime or Expires is "already expired" (sections 4.2.1, 5.3), of several lifetimes the
/// shortest counts.
CacheDirectives parse_directives(int status, Fields response, base::WallTime received_at);

/// The field names, in lower case, of no-cache="…" and private="…": a stored response must not
/// carry them (sections 5.2.2.4, 5.2.2.7). Usually empty, and then nothing is allocated.
std::vector<std::string> restricted_fields(Fields response);

/// Whether a shared cache may store the response at all under `policy`. CloudFront: a minimum above
/// zero overrides no-store, no-cache and private; a maximum of zero is no caching. RFC 9111
/// section 3. `request_has_authorization` asks for public, s-maxage or must-revalidate
/// (section 3.5). Never: 206, 304 and 416, which answer a request of one kind only; 428, 429, 431
/// and 511 (RFC 6585); `Vary: *`; Set-Cookie without a lifetime or public of the origin.
bool may_store(int status, const CacheDirectives& directives, Fields response,
               const TtlPolicy& policy, bool request_has_authorization);

/// How long the response is fresh under `policy`, counted from its generation at the origin.
/// CloudFront's table, features.md R050.
Duration freshness_lifetime(const CacheDirectives& directives, const TtlPolicy& policy);

/// Age at receipt: RFC 9111 section 4.2.3, corrected_initial_age. `response_delay` is the time from
/// request to response.
Duration initial_age(Fields response, base::WallTime received_at, Duration response_delay);

/// RFC 9110 section 5.6.7; accepts the three date formats. Nothing else.
std::optional<base::WallTime> parse_http_date(std::string_view text);
/// `now` decides the century of an RFC 850 date.
std::optional<base::WallTime> parse_http_date(std::string_view text, base::WallTime now);
/// IMF-fixdate into `out` (29 octets).
void format_http_date(base::WallTime time, char* out);

}  // namespace headgate::http
