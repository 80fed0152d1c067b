// SPDX-License-Identifier: MIT
// Vary, and the secondary key that it makes of a request: RFC 9111 section 4.1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "appliance/http/field.h"

namespace headgate::http {

struct Vary {
  bool everything = false;         ///< '*' anywhere, on any line: matches no request
  std::vector<std::string> names;  ///< lower case, sorted, each once; empty with `everything`
};

/// All Vary lines together. A member that is no field name counts as '*', and so do more than 64
/// members: what cannot be understood
/// must not be matched.
Vary parse_vary(Fields response);

/// Only whether it is '*'; allocates nothing.
bool varies_on_everything(Fields response);

/// The values of `names` in `request` as one unambiguous text: two requests select the same variant
/// iff the texts are equal. An absent field equals only an absent one; several lines equal their
/// combination; white space around list members does not matter.
std::string vary_key(const std::vector<std::string>& names, Fields request);
/// The same, appended to `out`.
void append_vary_key(std::string& out, const std::vector<std::string>& names, Fields request);

}  // namespace headgate::http
