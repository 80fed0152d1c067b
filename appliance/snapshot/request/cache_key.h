// SPDX-License-Identifier: MIT
// What names a stored response: the parts of a request that its cache policy takes, in one
// canonical text.
#pragma once

#include <memory_resource>
#include <optional>
#include <string_view>

#include "appliance/cache/response.h"
#include "appliance/snapshot/decide.h"

namespace headgate::snapshot {

/// Fills in `decision.key` from its distribution, behavior, path, query and normalised
/// Accept-Encoding. The text is made of lines, which no part of a request can contain:
/// ```
/// shop                      distribution
/// GET                       method class: HEAD is GET
/// 10.0.0.1:9001             the Host that goes to the origin
/// /api/products?page=2      path, and the query strings of the policy in their order
/// accept-language:de        headers of the policy, as sent or as it normalises them
/// cloudfront-viewer-country:DE
/// device:mobile             when the policy normalises it
/// cookie:session=abc        cookies of the policy
/// accept-encoding:br,gzip   normalised, when the policy enables it and the edge does not compress
/// ```
void make_cache_key(const RequestFacts& facts, std::pmr::memory_resource& memory,
                    Decision& decision);

/// What the key has of a header `name` of the policy: as sent, lines joined by ',', or as it is
/// normalised. None: the request has no such header.
std::optional<std::string_view> key_header(const Decision& decision, const RequestFacts& facts,
                                           std::string_view name,
                                           std::pmr::memory_resource& memory);

/// The pairs of `query` that `selector` takes, in order, joined by '&'. `query` itself when that is
/// all of them.
std::string_view select_query(std::string_view query, const NameSelector& selector,
                              std::pmr::memory_resource& memory);

/// The cookies of the request that `selector` takes, joined by "; ", but none of the edge's own.
std::string_view select_cookies(http::Fields request, const NameSelector& selector,
                                std::pmr::memory_resource& memory);

/// A CloudFront-* field that the edge fills in; empty when there is no such fact. `name` in lower
/// case.
std::string_view viewer_fact(const RequestFacts& facts, std::string_view name,
                             std::pmr::memory_resource& memory);

/// The Host as it goes to `origin` of the decision's distribution.
std::string_view host_for_origin(const Decision& decision, const RequestFacts& facts,
                                 const Origin& origin);

/// Whether the request to `origin` is made over TLS.
bool uses_https(const Origin& origin, const RequestFacts& facts);

/// `text` in memory of `memory`.
std::string_view persist_in(std::pmr::memory_resource& memory, std::string_view text);

}  // namespace headgate::snapshot
