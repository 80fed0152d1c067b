// SPDX-License-Identifier: MIT
// Which of a site's languages a client prefers: RFC 9110 section 12.5.4.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::http {

/// The one of `supported` (language tags) that Accept-Language asks for, by look-up (RFC 4647
/// section 3.4): the range with the highest weight first, each shortened subtag by subtag until one
/// matches; `otherwise` when none does, and for '*'. At most 32 members are read.
/// Errors: none; a member that is malformed is passed over.
std::string_view lookup_language(Fields request, std::span<const std::string> supported,
                                 std::string_view otherwise);

}  // namespace headgate::http
