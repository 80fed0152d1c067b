// SPDX-License-Identifier: MIT
// What rules see of a request and of a response: plain views, nothing of the server.
#pragma once

#include <span>
#include <string_view>

#include "appliance/base/ip_address.h"

namespace headgate::guard::waf {

/// One field line as received. `name` in any letter case; `value` without surrounding white space.
struct Header {
  std::string_view name;
  std::string_view value;
};

/// A request as a client sent it. The views must outlive whatever reads them.
struct Request {
  std::string_view method;          ///< "GET"
  std::string_view target;          ///< as on the request line: "/a%20b?c=d", "http://host/a", "*"
  std::string_view path;            ///< of the target, still encoded: "/a%20b"
  std::string_view query;           ///< behind the first '?', still encoded, without it: "c=d"
  std::string_view protocol;        ///< "HTTP/1.1", "HTTP/2", …
  std::span<const Header> headers;  ///< in order, Cookie and Content-Type among them
  base::IpAddress client;           ///< found by guard/client_address.h
  std::string_view body;            ///< as far as it is inspected
  bool body_whole = true;           ///< false: the body is longer than `body`
};

/// A response of the origin.
struct Response {
  int status = 0;
  std::string_view protocol;
  std::span<const Header> headers;
  std::string_view body;  ///< as far as it is inspected
  bool body_whole = true;
};

/// `path` and `query` of a target as on the request line: scheme and authority of an absolute form
/// are left out, a fragment too (no client should send one).
/// RFC:    9112 section 3.2
struct TargetParts {
  std::string_view path;
  std::string_view query;
};
TargetParts split_target(std::string_view target);

}  // namespace headgate::guard::waf
