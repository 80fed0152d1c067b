// SPDX-License-Identifier: MIT
// Where a configuration repository is, and what of that may be shown.
#pragma once

#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::reconciler {

/// `--source`, taken apart. Credentials of a URL are kept away from argument lists, logs and
/// status.
struct Location {
  enum class Transport { Local, Https, Ssh, Http, Git };
  Transport transport = Transport::Local;
  std::string url;            ///< for git: an absolute path, or a URL without credentials
  std::string shown;          ///< for people: the same without a query
  std::string authorization;  ///< value of an Authorization field; secret; empty: none
  /// What must never be printed: passwords and tokens of the URL as written and decoded.
  std::string user_info;
  std::string password;
  /// True for http:// and git://: anybody on the way can change what comes.
  bool unauthenticated() const {
    return transport == Transport::Http || transport == Transport::Git;
  }
};

/// Takes a path (relative to the working directory), file://, https://, ssh://, user@host:path,
/// http:// and git://. Errors: Blame::Config when it is none of these; says what is accepted.
Result<Location> parse_location(std::string_view text);

/// `text` (git's messages, say) with every secret of `location` replaced and control characters
/// escaped.
std::string redact(const Location& location, std::string_view text);

}  // namespace headgate::reconciler
