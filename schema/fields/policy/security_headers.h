// SPDX-License-Identifier: MIT
// `securityHeaders`: CloudFront's structured fields, turned into ready header values.
#pragma once

#include "schema/table/type.h"

namespace headgate::schema {

/// On a std::vector<SecurityHeader>.
const Type& security_headers_type();

}  // namespace headgate::schema
