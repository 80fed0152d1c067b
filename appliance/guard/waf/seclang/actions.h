// SPDX-License-Identifier: MIT
// "id:1,phase:2,block,t:lowercase,setvar:tx.a=+1": what a rule does.
#pragma once

#include <string_view>

#include "appliance/guard/waf/seclang/program.h"
#include "schema/base/result.h"

namespace headgate::guard::waf {

/// Applies the list of actions `text` to `rule`, in order. Errors: the first that is not supported
/// or not well-formed.
Status parse_actions(std::string_view text, Rule& rule);

/// "1", "941000-943999" into first and last. Errors: anything else.
Status parse_id_range(std::string_view text, int& first, int& last);

}  // namespace headgate::guard::waf
