// SPDX-License-Identifier: MIT
// Regexes that match whatever a larger one matches.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::guard::waf {

/// Where the parts of `pattern` that must match one behind the other end: "a(b|c)*d" has 1, 7
/// and 8. Each beginning of it up to such an end matches in every text in which the whole does.
/// None when it has alternatives outside of all groups, or is none that this understands. Threads:
/// pure.
std::vector<std::size_t> sequence_ends(std::string_view pattern);

}  // namespace headgate::guard::waf
