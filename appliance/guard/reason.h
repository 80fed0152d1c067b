// SPDX-License-Identifier: MIT
// Why the edge answers a request itself: one code in the log, in Proxy-Status, in explain, in
// Expect cases and in metrics.
#pragma once

#include <cstdint>
#include <string_view>

namespace headgate::guard {

enum class Reason : std::uint8_t {
  None,
  BadRequest,            ///< malformed beyond what the parser refuses
  UnknownHost,           ///< no distribution claims the host: 421
  Misdirected,           ///< not for this HTTP/3 connection: its certificate or httpVersion: 421
  TooEarly,              ///< in early data, and not safe to be done twice: 425
  DistributionDisabled,  ///< enabled: false: 503
  NoConfiguration,       ///< nothing has been applied yet: 503
  HttpsOnly,             ///< viewerProtocolPolicy: 403
  RedirectToHttps,       ///< 301 or 307
  Method,                ///< allowedMethods: 405, or 403 with compat: cloudfront
  Geo,                   ///< restrictions.geo: 403
  Waf,                   ///< a rule of a web ACL: 403, or what it says
  RateLimit,             ///< a rate rule of a web ACL: 429, or what it says
  Challenge,             ///< a web ACL asks for a proof of work: 403
  LoopDetected,          ///< CDN-Loop names this edge: 508
  BodyTooLarge,          ///< 413
  UrlTooLong,            ///< limits.maxUrl: 414
  OriginFailure,         ///< 502 or 504, with an RFC 9209 error type
  Overloaded,            ///< a limit of the edge: 503
  kCount,
};

/// snake_case, stable: "unknown_host", "geo", …
std::string_view code(Reason reason);

/// The RFC 9209 error type that fits best, e.g. "http_request_denied"; empty for None.
std::string_view proxy_error(Reason reason);

}  // namespace headgate::guard
