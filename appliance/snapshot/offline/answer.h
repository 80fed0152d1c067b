// SPDX-License-Identifier: MIT
// What viewers notice of a decision, in words: for explain, Expect cases and replays.
#pragma once

#include <map>
#include <memory_resource>
#include <string>

#include "appliance/http/caching.h"
#include "appliance/snapshot/decide.h"

namespace headgate::snapshot {

using HeaderMap = std::map<std::string, std::string>;  ///< by name, in lower case

/// Of a plain 200 that says nothing about caching.
Duration ttl_without_directives(const http::TtlPolicy& policy);
/// The rule of a web ACL that refuses the request, or "none".
std::string refusing_rule(const Decision& decision);
/// What the response would carry beyond what the origin sends, or what the edge answers with.
HeaderMap answer_headers(const Decision& decision, const RequestFacts& facts,
                         std::pmr::memory_resource& memory);

}  // namespace headgate::snapshot
