// SPDX-License-Identifier: MIT
// The words for reasons.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "appliance/guard/reason.h"

using namespace headgate::guard;

TEST_CASE("every reason has a code of its own in snake case, and an RFC 9209 error type") {
  // RFC 9209 section 2.3, those that an edge can have for making a response itself.
  const std::set<std::string_view> registered = {
      "destination_not_found",     "destination_unavailable", "http_request_error",
      "http_request_denied",       "proxy_internal_response", "proxy_internal_error",
      "proxy_configuration_error", "proxy_loop_detected"};
  std::set<std::string> codes;
  for (int i = 1; i < static_cast<int>(Reason::kCount); ++i) {
    const auto reason = static_cast<Reason>(i);
    const std::string text(code(reason));
    CAPTURE(text);
    CHECK(std::all_of(text.begin(), text.end(),
                      [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }));
    CHECK(text != "none");
    CHECK(codes.insert(text).second);
    CHECK(registered.count(proxy_error(reason)) == 1);
  }
  CHECK(code(Reason::None) == "none");
  CHECK(proxy_error(Reason::None) == "");
  CHECK(code(Reason::Geo) == "geo");
  CHECK(code(Reason::UnknownHost) == "unknown_host");
}
