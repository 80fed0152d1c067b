// SPDX-License-Identifier: MIT
// What libcurl's error codes mean in the terms of RFC 9209.
#pragma once

#include <curl/curl.h>

#include <string_view>

#include "appliance/origin/client.h"

namespace headgate::origin {

/// `details` is libcurl's error text; `connected`: the request could go out; `has_head`: the final
/// head had come.
Failure failure_of(CURL* easy, CURLcode code, std::string_view details, bool connected,
                   bool has_head);

}  // namespace headgate::origin
