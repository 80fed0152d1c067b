// SPDX-License-Identifier: MIT
// ARGS|!ARGS:/re/|&TX:name: what a rule reads.
#pragma once

#include <string_view>
#include <vector>

#include "appliance/guard/waf/seclang/program.h"
#include "schema/base/result.h"

namespace headgate::guard::waf {

/// Errors: a variable or an XPath that is not supported.
Result<std::vector<Target>> parse_targets(std::string_view text);
/// One, without '|'.
Result<Target> parse_target(std::string_view text);

}  // namespace headgate::guard::waf
