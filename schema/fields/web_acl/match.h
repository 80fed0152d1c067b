// SPDX-License-Identifier: MIT
// How a field and its matcher are written in a statement.
#pragma once

#include "schema/model/web_acl.h"
#include "schema/table/type.h"

namespace headgate::schema {

/// The table of the statement on `field`, a WafFieldMatch.
const Type& waf_match_type(WafField field);

struct WafFieldName {
  WafField field;
  const char* name;  ///< in YAML: "headerOrder"
  const char* doc;
};
/// In the order of the reference.
const std::vector<WafFieldName>& waf_field_names();

}  // namespace headgate::schema
