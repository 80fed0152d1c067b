// SPDX-License-Identifier: MIT
// Host names and the aliases that stand for them.
#pragma once

#include <string>
#include <string_view>

#include "schema/model/distribution.h"

namespace headgate::schema {

/// Whether `alias` stands for `host`, both in lower case: the same name, `*.example.com` for what
/// is below it, `*` for all.
bool alias_covers(std::string_view alias, std::string_view host);

/// The first alias without a wildcard; empty when there is none.
std::string first_host(const Distribution& distribution);

}  // namespace headgate::schema
