// SPDX-License-Identifier: MIT
// JSON that strict parsers stop at and others read.
#pragma once

#include <string_view>

#include "appliance/guard/waf/text/arena.h"

namespace headgate::guard::waf {

/// `text` such that a strict parser reads on where origins do: a number that no double holds
/// becomes a string of the same octets, and an escape of a lone surrogate (RFC 8259 section 8.2)
/// one of U+FFFD. A view of `text`, or of `arena`. Linear time; at most two octets are added to a
/// number.
std::string_view readable_json(std::string_view text, Arena& arena);

}  // namespace headgate::guard::waf
