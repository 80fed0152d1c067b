// SPDX-License-Identifier: MIT
// The demo shop's page and what it references, all of it in the binary.
#pragma once

#include <string>
#include <string_view>

#include "appliance/demo/catalogue.h"

namespace headgate::demo {

/// The shop, with the prices of `slot`.
std::string shop_html(std::string_view origin, std::int64_t slot);
std::string not_found_html(std::string_view origin);
std::string product_svg(const Product& product);
std::string_view style_css();
std::string_view shop_js();
std::string_view favicon_svg();

/// `text` with what means something to HTML replaced.
std::string escape_html(std::string_view text);

}  // namespace headgate::demo
