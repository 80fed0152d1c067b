// SPDX-License-Identifier: MIT
// A distribution: names, origins and ordered behaviors, after defaults have been filled in.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/units.h"
#include "schema/model/origin.h"
#include "schema/model/rollout.h"

namespace headgate::schema {

enum class HttpVersion { Http1_1, Http2, Http3, Http2And3 };
enum class ViewerProtocolPolicy { AllowAll, HttpsOnly, RedirectToHttps };
enum class Compat { Headgate, CloudFront };

/// CloudFront's security policies; each fixes a minimum version and the ciphers.
enum class MinimumProtocolVersion {
  Tls1_2018,  ///< TLSv1.2_2018
  Tls1_2019,  ///< TLSv1.2_2019
  Tls1_2021,  ///< TLSv1.2_2021, the default
  Tls1_2_2025,
  Tls1_3_2025,
};

struct ViewerCertificate {
  std::string certificate_ref;  ///< name of a kind: Certificate; empty: self-signed
  MinimumProtocolVersion minimum_protocol_version = MinimumProtocolVersion::Tls1_2021;
};

struct GeoRestriction {
  enum class Type { None, Whitelist, Blacklist };
  enum class Unknown { Allow, Deny };
  Type type = Type::None;
  std::vector<std::string> locations;  ///< ISO 3166-1 alpha-2, upper case
  std::optional<Unknown> unknown;      ///< absent: deny with a whitelist, allow with a blacklist
};

/// Ready-made behaviors for adaptive streaming; an extension.
enum class StreamingProfile { Hls, Dash };

/// `webAclRef` of a behavior that no web ACL is for.
inline constexpr const char* kNoWebAcl = "none";

struct CacheBehavior {
  std::string path_pattern;  ///< "*" in the default behavior
  std::string target_origin_id;
  ViewerProtocolPolicy viewer_protocol_policy = ViewerProtocolPolicy::AllowAll;
  std::vector<std::string> allowed_methods = {"GET", "HEAD"};  ///< or {"ALL"}
  std::vector<std::string> cached_methods = {"GET", "HEAD"};   ///< GET, HEAD, OPTIONS
  std::string cache_policy = "Managed-CachingOptimized";  ///< name, Managed-Name or CloudFront's id
  std::string origin_request_policy;                      ///< empty: none
  std::string response_headers_policy;                    ///< empty: none
  bool compress = false;
  std::optional<GeoRestriction> geo;  ///< YAML: restrictions.geo; absent: the distribution's
  std::string web_acl;  ///< YAML: webAclRef; empty: the distribution's; kNoWebAcl: none
  /// As written; the loader makes two behaviors of it, which have none: see expand_profiles.
  std::optional<StreamingProfile> profile;
  std::string written_at;  ///< its place below `spec`, "cacheBehaviors.3", for diagnostics
};

/// How hard responses of some types are compressed.
struct CompressionRule {
  std::vector<std::string> types;  ///< media types, lower case; "text/*"
  int gzip_level = 6;
  int brotli_quality = 5;
  int zstd_level = 6;
};

struct Compression {
  std::vector<std::string> compressible_types;  ///< empty: CloudFront's
  std::vector<CompressionRule> rules;           ///< the first one for a type counts
};

struct CustomErrorResponse {
  int error_code = 0;
  std::optional<int> response_code;
  std::string response_page_path;  ///< fetched through the matching behavior
  std::string inline_body;  ///< the body itself (YAML: inlineBody: text, or {file: pages/503.html}
                            ///< read from the repository)
  std::string inline_body_type;  ///< media type, by the file's ending; text/html without one
  std::optional<Duration> error_caching_min_ttl;
};

struct Stale {
  std::optional<Duration> while_revalidate;
  std::optional<Duration> if_error;
};

struct Distribution {
  std::string name;
  std::map<std::string, std::string> labels;
  bool enabled = true;
  std::string comment;
  std::vector<std::string> aliases;  ///< lower case: names, *.example.com, IP literals, "*"
  HttpVersion http_version = HttpVersion::Http2;
  bool early_data = false;
  bool ipv6 = true;
  std::string default_root_object;
  Compat compat = Compat::Headgate;
  ViewerCertificate viewer_certificate;
  std::vector<Origin> origins;
  std::vector<OriginGroup> origin_groups;
  GeoRestriction geo;   ///< YAML: restrictions.geo
  std::string web_acl;  ///< YAML: webAclRef; empty: none
  CacheBehavior default_cache_behavior;
  std::vector<CacheBehavior> cache_behaviors;  ///< first match wins, the default last
  std::vector<CustomErrorResponse> custom_error_responses;
  Stale stale;
  Compression compression;
  Rollout rollout;
};

}  // namespace headgate::schema
