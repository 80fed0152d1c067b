// SPDX-License-Identifier: MIT
// The head of a response to a viewer: stored fields through the response headers policy, and what
// the edge itself has to say.
#pragma once

#include <optional>
#include <string_view>

#include "appliance/guard/reason.h"
#include "appliance/http/cache_status.h"
#include "appliance/http/field.h"
#include "appliance/observe/record.h"
#include "appliance/server/exchange/pool_memory.h"
#include "appliance/server/h2o.h"
#include "appliance/snapshot/distribution.h"

namespace headgate::server {

struct Reply {
  int status = 0;
  http::Fields fields;                                   ///< the origin's, or the edge's own
  const snapshot::Distribution* distribution = nullptr;  ///< may be null
  const snapshot::Behavior* behavior = nullptr;          ///< may be null
  http::Fields request;                                  ///< for CORS
  std::optional<Duration> age;
  observe::CacheOutcome outcome = observe::CacheOutcome::Bypass;
  http::CacheStatus cache_status;
  std::string_view generation;
  std::string_view alt_svc;  ///< empty: none
  std::string_view request_id;
  std::string_view set_cookie;   ///< the edge's own; empty: none
  std::string_view proxy_error;  ///< RFC 9209 error type, when the edge makes this response
  guard::Reason reason = guard::Reason::None;
  std::string_view rule;          ///< of a web ACL, that refuses
  std::string_view debug_header;  ///< empty: none
  std::string_view debug_value;   ///< of that header
  std::optional<std::uint64_t> content_length;
  double sample = 0;  ///< in [0, 100): which share of responses this one belongs to
};

/// Fills in `request.res`. Threads: the request's loop.
void write_head(h2o_req_t& request, const Reply& reply, PoolMemory& memory);

/// Sends an interim response, unless the final one has begun. Of `fields` names are in lower case
/// and hop-by-hop ones gone.
void write_interim(h2o_req_t& request, int status, http::Fields fields, PoolMemory& memory);

/// The plain page of an answer that the edge makes itself, in pool memory.
std::string_view plain_page(int status, std::string_view reason, std::string_view request_id,
                            PoolMemory& memory);

}  // namespace headgate::server
