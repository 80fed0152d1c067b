// SPDX-License-Identifier: MIT
// Texts with %{…} in them.
#pragma once

#include <string_view>

#include "appliance/guard/waf/seclang/program.h"
#include "schema/base/result.h"

namespace headgate::guard::waf {

/// "a %{tx.b} c". Errors: %{…} of something that does not exist, or without its end.
Result<Macro> parse_macro(std::string_view text);

/// "tx.name", "ARGS.name", "REMOTE_ADDR": what stands between %{ and }.
Result<Macro::Variable> parse_macro_variable(std::string_view text);

}  // namespace headgate::guard::waf
