// SPDX-License-Identifier: MIT
// A viewer's request as it goes to an origin: what the cache and origin request policies forward,
// and what a proxy adds.
#pragma once

#include <memory>
#include <string>

#include "appliance/origin/failover.h"
#include "appliance/snapshot/decide.h"

namespace headgate::snapshot {

/// All that the members of a group have in common, owned: it outlives the viewer's request.
struct OriginRequestDraft {
  std::string method;
  std::string path;  ///< without the origin's path
  std::string query;
  bool https_viewer = false;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string viewer_host;  ///< the Host when a policy forwards the viewer's; else empty
  const Distribution* distribution = nullptr;  ///< pinned by whoever keeps the draft
};

/// Forwards the fields that the policies name, those of the body, and, for requests that do not use
/// the cache, conditions and ranges. Never hop-by-hop fields, never CloudFront-* ones of the
/// viewer. Adds Via, CDN-Loop, X-Forwarded-For and X-Forwarded-Proto. `revalidates` (may be null):
/// its validators make the request conditional.
OriginRequestDraft draft_origin_request(const Decision& decision, const RequestFacts& facts,
                                        bool has_body, const cache::StoredResponse* revalidates,
                                        std::pmr::memory_resource& memory);

/// The draft for one member: scheme, Host, origin path, custom headers.
origin::Request address(const OriginRequestDraft& draft, const origin::Group::Member& member);

}  // namespace headgate::snapshot
