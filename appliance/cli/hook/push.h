// SPDX-License-Identifier: MIT
// What git tells the hooks of a push.
#pragma once

#include <string>
#include <vector>

namespace headgate::cli {

/// One ref that is to change. All zeros: there is nothing.
struct RefUpdate {
  std::string before;
  std::string after;
  std::string ref;
  bool makes() const { return before.find_first_not_of('0') == std::string::npos; }
  bool removes() const { return after.find_first_not_of('0') == std::string::npos; }
};

/// From standard input, as githooks(5) has it.
std::vector<RefUpdate> read_updates();

}  // namespace headgate::cli
