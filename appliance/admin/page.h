// SPDX-License-Identifier: MIT
// The status page at GET /.
#pragma once

#include <string>
#include <string_view>

namespace headgate::admin {

/// One HTML document without external resources that reads /status every two seconds.
std::string_view status_page();

/// The Content-Security-Policy that allows that page's own script and style, by hash, and nothing
/// else.
const std::string& status_page_policy();

}  // namespace headgate::admin
