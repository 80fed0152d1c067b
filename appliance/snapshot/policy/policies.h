// SPDX-License-Identifier: MIT
// Cache, origin request and response headers policies, compiled: which parts of a request make the
// key, go to the origin, and what the viewer's response gets.
#pragma once

#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/http/accept_encoding.h"
#include "appliance/http/caching.h"
#include "appliance/http/field.h"
#include "appliance/snapshot/policy/cors.h"
#include "schema/model/policy.h"

namespace headgate::snapshot {

/// none, whitelist, allExcept, all of named things. Names of headers are in lower case; those of
/// cookies and query strings are case-sensitive.
class NameSelector {
 public:
  enum class Mode { None, Only, AllExcept, All };
  NameSelector() = default;
  NameSelector(Mode mode, std::vector<std::string> names);
  Mode mode() const { return mode_; }
  const std::vector<std::string>& names() const { return names_; }
  bool takes(std::string_view name) const;

 private:
  Mode mode_ = Mode::None;
  std::vector<std::string> names_;  ///< sorted
};

struct CachePolicy {
  std::shared_ptr<const schema::CachePolicy> source;
  http::TtlPolicy ttl;
  NameSelector query_strings;
  std::vector<std::string> headers;  ///< lower case, sorted; CloudFront-* among them
  NameSelector cookies;
  schema::Normalize normalize;
  http::CodingSet codings;  ///< whose enableAcceptEncoding… is set
  /// No response is ever stored under it: maxTTL 0.
  bool disabled() const { return ttl.max == Duration::zero(); }
};

struct OriginRequestPolicy {
  std::shared_ptr<const schema::OriginRequestPolicy> source;
  NameSelector headers;                   ///< of what the viewer sent
  std::vector<std::string> viewer_facts;  ///< CloudFront-* fields that the edge itself fills in
  NameSelector cookies;
  NameSelector query_strings;
};

/// CORS, security, custom and removed headers, ready to apply.
struct ResponseHeadersPolicy {
  std::shared_ptr<const schema::ResponseHeadersPolicy> source;
  struct Line {
    std::string name;  ///< lower case
    std::string value;
    bool override_origin = true;
  };
  std::vector<Line> lines;           ///< security and custom headers
  std::vector<std::string> removed;  ///< lower case, sorted
  std::optional<Cors> cors;
};

std::shared_ptr<const CachePolicy> compile(std::shared_ptr<const schema::CachePolicy> source);
std::shared_ptr<const OriginRequestPolicy> compile(
    std::shared_ptr<const schema::OriginRequestPolicy> source);
std::shared_ptr<const ResponseHeadersPolicy> compile(
    std::shared_ptr<const schema::ResponseHeadersPolicy> source);

/// The fields of a response as the viewer gets them: removed, overridden, added, CORS by the
/// request's Origin. `out` is appended to; views point into `stored`, the policy or `request`.
void apply(const ResponseHeadersPolicy& policy, http::Fields request, http::Fields stored,
           std::pmr::vector<http::Field>& out);

}  // namespace headgate::snapshot
