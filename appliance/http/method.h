// SPDX-License-Identifier: MIT
// What a request method means to a cache.
#pragma once

#include <string_view>

namespace headgate::http {

/// Whether the method is registered as safe (RFC 9110 section 9.2.1 and the method registry):
/// all others, unknown ones too, may change the resource.
bool is_safe(std::string_view method);

}  // namespace headgate::http
