// SPDX-License-Identifier: MIT
// The generated parts of README.md: between `<!-- generated: NAME -->` and `<!-- end -->`.
#pragma once

#include <string>

namespace headgate::schema {

/// `readme` with each generated part written anew (`codes`, `reference`); unknown names and what is
/// outside stay as they are.
std::string regenerate_readme(const std::string& readme);

}  // namespace headgate::schema
