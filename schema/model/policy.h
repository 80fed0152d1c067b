// SPDX-License-Identifier: MIT
// The three reusable policies of CloudFront's model: what is in the cache key, what goes to the
// origin, what the viewer's response gets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/base/units.h"

namespace headgate::schema {

/// Which members of a collection (headers, cookies, query strings) take part.
/// Headers of a cache policy know None and Whitelist; AllViewer… are for the headers of origin
/// request policies.
enum class Selection {
  None,
  Whitelist,
  AllExcept,
  All,
  AllViewer,
  AllViewerAndWhitelistCloudFront
};

struct Selector {
  Selection behavior = Selection::None;
  std::vector<std::string> items;
};

/// Requests that mean the same, made the same before the key is; an extension.
struct Normalize {
  struct Language {
    std::vector<std::string> supported;  ///< language tags (RFC 5646)
    std::string otherwise;               ///< YAML: `default`; one of them
  };
  std::vector<std::string> drop_query;  ///< names of query strings; `*` stands for any characters
  bool sort_query = false;
  bool lowercase_host = false;
  std::optional<Language> language;
  bool device = false;
};

struct CacheKeyParameters {
  bool enable_accept_encoding_gzip = false;
  bool enable_accept_encoding_brotli = false;
  Selector query_strings;
  Selector headers;
  Selector cookies;
  bool enable_accept_encoding_zstd = false;  ///< an extension
  Normalize normalize = {};
};

/// CloudFront's CachePolicyConfig. min ≤ default ≤ max.
struct CachePolicy {
  std::string name;
  std::string comment;
  Duration min_ttl = Duration::zero();
  Duration default_ttl = std::chrono::hours(24);
  Duration max_ttl = std::chrono::hours(24 * 365);
  CacheKeyParameters parameters;  ///< parametersInCacheKeyAndForwardedToOrigin
  bool cache_set_cookie = true;   ///< an extension: whether responses with Set-Cookie are stored
};

/// CloudFront's OriginRequestPolicyConfig: forwarded, but not in the key.
struct OriginRequestPolicy {
  std::string name;
  std::string comment;
  Selector headers;
  Selector cookies;
  Selector query_strings;
};

struct CorsRule {
  std::vector<std::string> allow_origins;
  std::vector<std::string> allow_headers;
  std::vector<std::string> allow_methods;  ///< GET POST OPTIONS PUT DELETE PATCH HEAD ALL
  std::vector<std::string> expose_headers;
  bool allow_credentials = false;
  std::optional<Duration> max_age;
  bool origin_override = true;
};

/// One header of `securityHeaders`; `value` is the field's whole value.
struct SecurityHeader {
  std::string header;
  std::string value;
  bool override_origin = true;
};

struct CustomHeader {
  std::string header;
  std::string value;
  bool override_origin = false;  ///< YAML: `override`
};

struct ServerTiming {
  bool enabled = false;
  double sampling_rate = 0;  ///< 0–100 %, four decimals
};

/// CloudFront's ResponseHeadersPolicyConfig, evaluated when serving: edits act on objects already
/// cached.
struct ResponseHeadersPolicy {
  std::string name;
  std::string comment;
  std::optional<CorsRule> cors;
  std::vector<SecurityHeader> security_headers;  ///< YAML: securityHeaders.{contentSecurityPolicy,
                                                 ///< strictTransportSecurity, …}
  std::vector<CustomHeader> custom_headers;
  std::vector<std::string> remove_headers;
  ServerTiming server_timing;
};

}  // namespace headgate::schema
