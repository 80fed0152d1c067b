// SPDX-License-Identifier: MIT
// Weights of members of Accept fields: RFC 9110 section 12.4.2.
#pragma once

#include <optional>
#include <string_view>

namespace headgate::http {

inline constexpr int kFullWeight = 1000;

/// "0", "1", "0.5", "1.000" in thousandths; nothing when `text` is no weight.
std::optional<int> parse_weight(std::string_view text);

/// The weight among the parameters of a member ("q=0.5", without the first ';'), in thousandths.
/// Full without one; a malformed one is 0, which is not accepted.
int weight_of(std::string_view parameters);

}  // namespace headgate::http
