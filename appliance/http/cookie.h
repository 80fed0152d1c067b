// SPDX-License-Identifier: MIT
// The Cookie field: one pair at a time, and one field from the crumbs that HTTP/2 and HTTP/3 may
// split it into.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::http {

struct CookiePair {
  std::string_view name;
  std::string_view value;
  std::string_view raw;  ///< as sent, without surrounding white space
};

/// Walks "a=1; b=2" in order, leniently as RFC 6265 section 5.4 makes user agents write it; empty
/// pieces are skipped. A piece without '=' is a cookie with an empty value.
class CookieReader {
 public:
  explicit CookieReader(std::string_view value) : rest_(value) {}
  bool next(CookiePair& pair);

 private:
  std::string_view rest_;
};

/// All Cookie lines of a request as one value, joined by "; " (RFC 9113 section 8.2.3). Null
/// without any. `buffer` is used only when there are several.
std::optional<std::string_view> join_cookies(Fields request, std::string& buffer);

}  // namespace headgate::http
