// SPDX-License-Identifier: MIT
// The Content-Disposition of a part of a form.
#pragma once

#include <string>
#include <string_view>

namespace headgate::guard::waf {

struct Disposition {
  std::string name;
  std::string filename;
  bool has_filename = false;
  bool invalid_quoting = false;  ///< a single quote where a double one belongs, or inside
  bool unusual = false;          ///< names in other letters, parameters that forms do not have
  std::string error;             ///< empty: none. What was understood before it is kept.
};

/// `form-data; name="a"; filename="b"`. RFC 7578 section 4.2, leniently about quotes,
/// case and parameters that it does not know.
Disposition parse_disposition(std::string_view value);

}  // namespace headgate::guard::waf
