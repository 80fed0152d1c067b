// SPDX-License-Identifier: MIT
// The table of `notifications` of `kind: Edge`.
#pragma once

#include "schema/table/type.h"

namespace headgate::schema {

const Type& notifications_type();

}  // namespace headgate::schema
