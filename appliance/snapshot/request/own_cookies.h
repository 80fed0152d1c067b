// SPDX-License-Identifier: MIT
// The edge's own cookies, which are nobody else's business.
#pragma once

#include <memory_resource>
#include <optional>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::snapshot {

/// The Cookie field without what the edge sets: Split::kCookie and the proofs of challenges. They
/// tell viewers apart, so no origin gets them, and no key of a cache has them. None when nothing
/// else is there. Threads: pure.
std::optional<std::string_view> viewer_cookies(http::Fields request,
                                               std::pmr::memory_resource& memory);

/// Whether the request brings one.
bool has_own_cookie(http::Fields request);

}  // namespace headgate::snapshot
