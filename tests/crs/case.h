// SPDX-License-Identifier: MIT
// Cases in the format of the CRS project's regression tests, and the requests that they mean.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace headgate::crs_test {

/// A request as its head and body would stand on the wire, taken apart without judging it.
struct WireRequest {
  std::string method = "GET";
  std::string target = "/";
  std::string protocol = "HTTP/1.1";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool well_formed = true;  ///< false: a server refuses it with 4xx before any rule sees it
};

struct Case {
  std::string title;  ///< "920100-1"; of several stages the last
  WireRequest request;
  std::string expected;    ///< "920100": a rule that has to match
  std::string unexpected;  ///< one that must not
  bool by_status = false;  ///< says only which status is expected: not about rules
};

/// The cases of one file. Throws what yaml-cpp throws.
std::vector<Case> read_cases(const std::string& path);

/// Takes "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody" apart.
WireRequest parse_wire(const std::string& octets);

}  // namespace headgate::crs_test
