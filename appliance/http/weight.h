// SPDX-License-Identifier: MIT
// Weights of members of Accept fields: RFC 9110 section 12.4.2.
#pragma once

#include <string_view>

namespace headgate::http {

inline constexpr int kFullWeight = 1000;

/// The weight among the parameters of a member ("q=0.5", without the first ';'), in thousandths.
/// Full without one; a malformed one is 0, which is not accepted.
int weight_of(std::string_view parameters);

}  // namespace headgate::http
