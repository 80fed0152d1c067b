// SPDX-License-Identifier: MIT
// The tables of origins and origin groups, for the distribution's table.
#pragma once

#include "schema/fields/choices.h"

namespace headgate::schema {

const Type& origin_type();
const Type& origin_group_type();

template <>
struct TypeOf<Origin> {
  static const Type& get() { return origin_type(); }
};
template <>
struct TypeOf<OriginGroup> {
  static const Type& get() { return origin_group_type(); }
};

}  // namespace headgate::schema
