// SPDX-License-Identifier: MIT
// Where a configuration repository is, and what of that may be shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/base/result.h"

namespace headgate::reconciler {

/// `--source`, taken apart. Credentials of a URL are kept away from argument lists, logs and
/// status.
struct Location {
  enum class Transport { Local, Https, Ssh, Http, Git };
  Transport transport = Transport::Local;
  std::string url;        ///< for git: an absolute path, or a URL without credentials
  std::string shown;      ///< for people: the same without a query
  std::string authority;  ///< of a URL: HOST or HOST:PORT, in lower case
  std::string user;       ///< of an http(s) URL, decoded; secret: it may be a token
  std::string password;   ///< the same
  std::string user_info;  ///< both as written
  bool is_http() const { return transport == Transport::Https || transport == Transport::Http; }
  /// True for http:// and git://: anybody on the way can change what comes.
  bool unauthenticated() const {
    return transport == Transport::Http || transport == Transport::Git;
  }
};

/// Takes a path (relative to the working directory), file://, https://, ssh://, user@host:path,
/// http:// and git://. Errors: Blame::Config when it is none of these; says what is accepted.
Result<Location> parse_location(std::string_view text);

/// What of `location` must not be printed.
std::vector<std::string> secrets_of(const Location& location);

/// `text` (git's messages, say) with each of `secrets` replaced and control characters escaped.
std::string redact(const std::vector<std::string>& secrets, std::string_view text);

std::string percent_decode(std::string_view text);

}  // namespace headgate::reconciler
