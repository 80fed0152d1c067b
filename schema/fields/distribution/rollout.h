// SPDX-License-Identifier: MIT
// The table of `rollout`, for the distribution's table.
#pragma once

#include "schema/fields/choices.h"

namespace headgate::schema {

const Type& rollout_type();

}  // namespace headgate::schema
