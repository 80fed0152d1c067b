// SPDX-License-Identifier: MIT
// The status page at GET /.
#pragma once

#include <string>

namespace headgate::admin {

/// One HTML document without external resources: what `/status`, whose JSON is given, says, for
/// people. All of it is text that needs no script; with one, it is brought up to date every two
/// seconds, with the rates of the time between.
std::string status_page(const std::string& status_json);

/// The Content-Security-Policy that allows that page's own script and style, by hash, and nothing
/// else.
const std::string& status_page_policy();

}  // namespace headgate::admin
