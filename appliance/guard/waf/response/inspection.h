// SPDX-License-Identifier: MIT
// What the managed groups of a web ACL say of a response that comes from an origin.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/ip_address.h"
#include "appliance/guard/geo.h"
#include "appliance/guard/waf/rules/acl.h"
#include "appliance/guard/waf/rules/view.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {

class Scratch;

/// Views outlive the inspection.
struct ResponseView {
  int status = 0;
  bool http2 = false;
  http::Fields fields = {};    ///< names in lower case
  std::string_view body = {};  ///< decoded; as far as it is inspected
  /// What `body` is of it.
  enum class Body {
    Whole,      ///< all of it, or it is none that is looked at
    Beginning,  ///< it is longer than `ResponseInspection::octets`
    Unread,     ///< as far as it could be decoded
  };
  Body body_state = Body::Whole;
};

struct ResponseVerdict {
  const AclRule* refused_by = nullptr;  ///< null: it may pass
  std::string matched = {};             ///< ids of the groups' rules that did, joined by ','
};

/// All groups of the ACL look at a response, whatever their rule's `when`, and the rules before it,
/// have said of the request that happens to fetch it: the cache may give it to anybody. Scores and
/// exclusions of a group begin as they do for a request. Not asked for a 304, whose content was
/// looked at when it came. Threads: one.
class ResponseInspection {
 public:
  /// Copies what it needs of `request`, where the head of the request and `path`, `client`,
  /// `country` matter. The ACL and `scratch` outlive this.
  ResponseInspection(const Acl& acl, const View& request, Scratch& scratch);

  /// How much of a body is to be held back.
  std::uint64_t octets() const { return acl_.response_octets(); }
  schema::WafOversize oversize() const { return acl_.response_oversize(); }
  /// Whether the body of a response with these fields is looked at: text/plain, text/html,
  /// text/xml (as ModSecurity's recommended SecResponseBodyMimeType), or of no type.
  static bool reads_body(http::Fields response);

  ResponseVerdict judge(const ResponseView& response) const;

 private:
  enum class Outcome { Pass, Match, Exhausted };
  Outcome run(const AclRule& rule, const ResponseView& response, std::string& matched) const;

  const Acl& acl_;
  Scratch& scratch_;
  std::string method_;
  std::string target_;
  std::string path_;
  std::string protocol_;
  std::string authority_;
  std::string request_id_;
  http::FieldBlock fields_;
  base::IpAddress client_;
  Country country_;
};

}  // namespace headgate::guard::waf
