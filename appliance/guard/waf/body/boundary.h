// SPDX-License-Identifier: MIT
// The boundary that a Content-Type of multipart/form-data gives.
#pragma once

#include <string>
#include <string_view>

namespace headgate::guard::waf {

struct Boundary {
  std::string_view text;  ///< empty: there is none that can be used, and `error` says why
  bool strict = true;     ///< false: quoted, white space, no semicolon
  std::string error;
};

/// RFC 2046 section 5.1.1, and what senders are known to make of it.
Boundary find_boundary(std::string_view content_type);

}  // namespace headgate::guard::waf
