// SPDX-License-Identifier: MIT
// The parsers of bodies, as ModSecurity's body processors understand them.
#pragma once

#include <string_view>

#include "appliance/guard/waf/body/content.h"
#include "appliance/guard/waf/text/arena.h"

namespace headgate::guard::waf {

// Each adds what it finds in `text` to `content`. The views in it live as long as `text` and
// `arena`. Linear time; memory within a constant factor of `text`. `whole` is false where the text
// is the beginning of a longer one: then its sudden end is no error.

/// "a=1&b=2", of queries and of application/x-www-form-urlencoded.
void parse_urlencoded(std::string_view text, const BodyLimits& limits, Arena& arena,
                      BodyContent& content);

/// multipart/form-data with the boundary that `content_type` gives. RFC 7578, RFC 2046.
void parse_multipart(std::string_view text, std::string_view content_type, bool whole,
                     const BodyLimits& limits, Arena& arena, BodyContent& content);

/// Every scalar becomes an argument "json.key.array_0.key". RFC 8259; numbers of any size.
void parse_json(std::string_view text, bool whole, const BodyLimits& limits, Arena& arena,
                BodyContent& content);

/// Character data and values of attributes. A DOCTYPE that declares anything is an error.
void parse_xml(std::string_view text, bool whole, const BodyLimits& limits, Arena& arena,
               BodyContent& content);

/// "a=1; b=2": one Cookie field. Names without leading white space, values as they are; pieces
/// without a name are left out. False: there are more than `limits` allows in `cookies`.
[[nodiscard]] bool parse_cookies(std::string_view value, const BodyLimits& limits,
                                 std::vector<NamedValue>& cookies);

}  // namespace headgate::guard::waf
