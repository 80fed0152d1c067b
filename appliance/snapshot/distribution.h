// SPDX-License-Identifier: MIT
// A distribution, compiled.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/cache/body.h"
#include "appliance/guard/geo.h"
#include "appliance/guard/waf/rules/acl.h"
#include "appliance/http/caching.h"
#include "appliance/origin/failover.h"
#include "appliance/snapshot/policy/compression.h"
#include "appliance/snapshot/policy/policies.h"
#include "appliance/snapshot/router.h"
#include "appliance/snapshot/secret/certificate.h"
#include "schema/model/distribution.h"

namespace headgate::snapshot {

/// An origin's part in requests beyond how it is reached.
struct Origin {
  std::shared_ptr<const origin::Endpoint> endpoint;
  std::string id;
  std::string path;         ///< originPath
  std::string host_header;  ///< overrides any Host; empty: none
  std::string http_host;    ///< the Host when no policy forwards the viewer's: domainName, with a
  std::string https_host;   ///< port that is not the scheme's own
  schema::OriginProtocolPolicy protocol = schema::OriginProtocolPolicy::MatchViewer;
  struct Header {
    std::string name;  ///< lower case
    schema::Redacted value;
  };
  std::vector<Header> custom_headers;
};

/// A set of methods; `all` lets unknown ones pass too.
struct MethodSet {
  bool all = false;
  std::vector<std::string> methods;
  bool contains(std::string_view method) const;
};

struct Behavior {
  PathPattern pattern;
  bool is_default = false;
  std::shared_ptr<const origin::Group> target;
  schema::ViewerProtocolPolicy viewer_protocol_policy = schema::ViewerProtocolPolicy::AllowAll;
  MethodSet allowed_methods;
  std::string allow;  ///< the Allow field
  MethodSet cached_methods;
  std::shared_ptr<const CachePolicy> cache_policy;
  std::shared_ptr<const OriginRequestPolicy> origin_request_policy;      ///< may be null
  std::shared_ptr<const ResponseHeadersPolicy> response_headers_policy;  ///< may be null
  /// What the edge makes of a response itself: `compress` and the cache policy together. Then
  /// Accept-Encoding is not in the key: one stored response has its encodings beside it.
  http::CodingSet codings;
  guard::GeoRule geo;
  std::shared_ptr<const guard::waf::Acl> web_acl;  ///< null: none
  std::uint32_t metric_slot = 0;
};

struct ErrorPage {
  int error_code = 0;
  int response_code = 0;               ///< the same when none was given
  std::string page_path;               ///< empty: none
  base::Ref<cache::Body> inline_body;  ///< null: none
  std::string content_type;
  std::optional<Duration> caching_min_ttl;
};

/// Threads: immutable.
struct Distribution {
  std::shared_ptr<const schema::Distribution> source;
  std::string name;
  bool enabled = true;
  bool cloudfront_compat = false;
  bool http2 = true;
  bool http3 = false;
  bool early_data = false;                         ///< with http3
  std::shared_ptr<const Certificate> certificate;  ///< null: the edge's self-signed one
  schema::MinimumProtocolVersion minimum_protocol_version =
      schema::MinimumProtocolVersion::Tls1_2021;
  std::string default_root_path;  ///< "/index.html"; empty: none
  std::vector<Origin> origins;
  std::vector<std::shared_ptr<const origin::Group>> groups;
  std::vector<Behavior> behaviors;  ///< in order; the default one last
  std::vector<ErrorPage> error_pages;
  Compression compression;
  std::optional<Duration> stale_while_revalidate;
  std::optional<Duration> stale_if_error;

  /// First match in order.
  const Behavior& behavior_for(std::string_view path) const;
  const ErrorPage* error_page(int status) const;
};

}  // namespace headgate::snapshot
