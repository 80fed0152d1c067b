// SPDX-License-Identifier: MIT
// Base64, strictly.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace headgate::base {

/// RFC 4648 section 4, with its padding and without anything else; nothing when it is not, also
/// when bits that say nothing are not zero.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace headgate::base
