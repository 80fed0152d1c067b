// SPDX-License-Identifier: MIT
// What warm lists and invalidations share.
#pragma once

#include "schema/model/warm.h"
#include "schema/table/composite.h"

namespace headgate::schema {

/// `warm` of an invalidation.
const Type& invalidation_warm_type();

}  // namespace headgate::schema
