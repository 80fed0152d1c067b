// SPDX-License-Identifier: MIT
// The table of `source` of `kind: Edge`.
#pragma once

#include "schema/table/type.h"

namespace headgate::schema {

const Type& source_type();

}  // namespace headgate::schema
