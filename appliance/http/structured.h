// SPDX-License-Identifier: MIT
// Structured Fields, RFC 8941: strings to write, and the dictionaries that targeted cache control
// (RFC 9213) is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "appliance/http/field.h"

namespace headgate::http {

/// Appends `text` as an sf-string, quotes included. What is not printable ASCII becomes '?': such a
/// field would be invalid as a whole. RFC: 8941 section 3.3.3
void append_sf_string(std::string& out, std::string_view text);

/// Whether `text` may be written as an sf-token. RFC 8941 section 3.3.4.
bool is_sf_token(std::string_view text);

struct SfToken {
  std::string text;
};
/// Decimals, byte sequences and inner lists: known to be well-formed, of no use to us.
struct SfOther {};
using SfValue = std::variant<bool, std::int64_t, std::string, SfToken, SfOther>;

struct SfMember {
  std::string key;
  SfValue value;
};

/// Parses the lines named `name` together as a Dictionary; the last of equal keys counts.
/// Parameters are checked and dropped. Errors: null when the whole is not a valid, non-empty
/// dictionary, as section 4.2 demands. RFC: 8941 section 4.2.2
std::optional<std::vector<SfMember>> parse_sf_dictionary(Fields fields, std::string_view name);

}  // namespace headgate::http
