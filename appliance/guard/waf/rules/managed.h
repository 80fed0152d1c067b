// SPDX-License-Identifier: MIT
// Managed groups in a web ACL: from what the ACL says to a compiled rule set.
#pragma once

#include <memory>
#include <string>

#include "schema/base/result.h"
#include "schema/model/web_acl.h"

namespace headgate::guard::waf {

class RuleSet;
class Shared;

/// Where Debian's package modsecurity-crs has its rules.
inline constexpr const char* kCrsFolder = "/usr/share/modsecurity-crs/rules";

/// The rule set of `rule`, which has `managed`; the same one again while `shared` (may be null)
/// knows it. `patterns` is a folder for compiled databases; empty: none. Takes seconds without
/// them. Errors: Blame::Config when the package is not installed, or says what is not supported.
Result<std::shared_ptr<const RuleSet>> load_managed(const schema::WafRule& rule, Shared* shared,
                                                    const std::string& patterns);

}  // namespace headgate::guard::waf
