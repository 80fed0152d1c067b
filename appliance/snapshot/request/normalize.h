// SPDX-License-Identifier: MIT
// Requests that mean the same, made the same: the `normalize` of a cache policy (features.md R058,
// R064).
#pragma once

#include <memory_resource>
#include <string_view>

#include "appliance/snapshot/decide.h"

namespace headgate::snapshot {

/// `query` (without '?') without what is dropped, sorted by name when asked for: pairs of one name
/// keep their order. `query` itself when nothing changes.
std::string_view normalize_query(std::string_view query, const schema::Normalize& rules,
                                 std::pmr::memory_resource& memory);

/// Fills in a decision's `query`, `authority`, `language` and `device` as its cache policy says.
/// The key, and what goes to the origin, is made of these.
void normalize(const RequestFacts& facts, std::pmr::memory_resource& memory, Decision& decision);

/// The request's fields as Vary selects by them: Accept-Encoding, Accept-Language and User-Agent as
/// they were normalised, where the cache policy does that. Views into the facts, or into `memory`.
http::Fields selecting_fields(const Decision& decision, const RequestFacts& facts,
                              std::pmr::memory_resource& memory);

}  // namespace headgate::snapshot
