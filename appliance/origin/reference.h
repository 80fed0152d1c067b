// SPDX-License-Identifier: MIT
// URI references of a response, as Location and Content-Location have them, against the URI that
// was requested.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace headgate::origin {

/// The path and query that `reference` means when it was found in a response for `base`, an
/// absolute URI; nothing when it is malformed or of another origin: another scheme, host or port
/// (RFC 3986 section 5.2, RFC 6454 section 5). Threads: any.
std::optional<std::string> target_within(const std::string& base, const std::string& reference);

}  // namespace headgate::origin
