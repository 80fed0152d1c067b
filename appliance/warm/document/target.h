// SPDX-License-Identifier: MIT
// From what a sitemap or playlist refers to, to what a request asks for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace headgate::warm {

struct Target {
  std::string host;  ///< lower case, without port; an IPv6 literal without brackets
  std::string path;  ///< with its query: what a request line has
};

/// `reference`, absolute or relative to `base` (RFC 3986 section 5.2); none when it is not http or
/// https, or too long. What may not stand in a URL is percent-encoded; a fragment is dropped.
std::optional<Target> resolve(const Target& base, std::string_view reference);

/// `host` as it stands in a Host field.
std::string host_field(const std::string& host);

}  // namespace headgate::warm
