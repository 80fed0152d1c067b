// SPDX-License-Identifier: MIT
// The table of EdgeLimits.
#pragma once

#include "schema/model/edge_limits.h"
#include "schema/table/object.h"

namespace headgate::schema {

const Object<EdgeLimits>& edge_limits_table();

}  // namespace headgate::schema
