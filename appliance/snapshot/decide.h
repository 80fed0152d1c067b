// SPDX-License-Identifier: MIT
// What becomes of a request before anything is fetched: one pure function that the edge, explain,
// Expect cases and diff share.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/cache/response.h"
#include "appliance/guard/geo.h"
#include "appliance/guard/reason.h"
#include "appliance/guard/waf/fingerprint/client_hello.h"
#include "appliance/guard/waf/rules/acl.h"
#include "appliance/guard/waf/rules/scratch.h"
#include "appliance/http/field.h"
#include "appliance/snapshot/configuration.h"

namespace headgate::snapshot {

/// A request as it arrived. Views outlive the Decision.
struct RequestFacts {
  std::string_view method;
  bool https = false;
  bool early_data = false;  ///< came before the handshake was over: may be a replay (RFC 8470)
  int http_version = 0x101;
  std::string_view authority;  ///< Host or :authority as sent, with its port
  bool names_host = true;      ///< false: `authority` is ours, the request has none
  std::string_view target;     ///< path and query as sent
  std::string_view request_id;
  http::Fields fields;     ///< names in lower case, cookie crumbs joined
  base::IpAddress client;  ///< whom guards judge
  base::IpAddress peer;    ///< the socket's: what is appended to X-Forwarded-For
  guard::Country country;
  std::uint16_t https_port = 443;  ///< of this edge: where redirects to https go
  /// For web ACLs; null: none is asked, as about other targets than the viewer's.
  guard::waf::Scratch* scratch = nullptr;
  const guard::waf::Fingerprint* fingerprint = nullptr;  ///< of the TLS handshake; may be null
  guard::waf::View::Body body_state = guard::waf::View::Body::None;
  std::string_view body;                         ///< as far as web ACLs inspect it
  std::optional<std::uint64_t> body_length;      ///< as announced
  guard::waf::Inspection* inspection = nullptr;  ///< of a decision that was Inspect
  bool offline = false;              ///< only what if: nothing is counted, nobody is asked
  std::optional<base::WallTime> at;  ///< when it comes, for what depends on the time; empty: now
  bool warming = false;              ///< the edge asks itself: no viewer whom geo rules could judge
};

/// What explain prints: one step, one line. Null on the request path.
class Trace {
 public:
  void step(std::string_view topic, std::string text);
  const std::vector<std::pair<std::string, std::string>>& steps() const { return steps_; }

 private:
  std::vector<std::pair<std::string, std::string>> steps_;
};

/// Views point into the facts, the configuration or the memory resource.
struct Decision {
  enum class Action {
    Serve,
    Redirect,
    Deny,
    Inspect,  ///< a web ACL wants the body: decide again with it, and with `inspection`
  };
  Action action = Action::Deny;
  int status = 0;  ///< Redirect, Deny
  guard::Reason reason = guard::Reason::None;
  std::string_view location;  ///< Redirect
  const Distribution* distribution = nullptr;
  const Behavior* behavior = nullptr;
  guard::waf::Inspection* inspection = nullptr;  ///< null: no web ACL was asked
  // Serve:
  std::string_view host;             ///< lower case, without port
  std::string_view path;             ///< http::canonical_path, after the default root object
  std::string_view query;            ///< without '?'; as the cache policy normalises it
  std::string_view authority;        ///< the viewer's Host, as the cache policy normalises it
  std::string_view language;         ///< that the cache policy makes of Accept-Language; or empty
  std::string_view device;           ///< that it makes of User-Agent: "mobile"; or empty
  bool uses_cache = false;           ///< a cached method under a policy that stores
  cache::Key key;                    ///< only when uses_cache
  std::string_view accept_encoding;  ///< as the cache policy normalises it; empty: not its business
};

/// Errors: none; a request that cannot be served is a Decision to deny it.
/// Threads: pure.
Decision decide(const Configuration& configuration, const RequestFacts& facts,
                std::pmr::memory_resource& memory, Trace* trace = nullptr);

/// The same for another path of the same request, as a custom error page is fetched: by GET,
/// through the behavior that matches it, without guards and redirects.
Decision decide_error_page(const Decision& failed, const RequestFacts& facts, std::string_view path,
                           std::pmr::memory_resource& memory);

}  // namespace headgate::snapshot
