// SPDX-License-Identifier: MIT
// What the admin listener needs to know of warming.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace headgate::admin {

struct WarmReply {
  enum class Outcome {
    Running,      ///< `runs` are under way
    NoList,       ///< there is no such list
    Unavailable,  ///< nothing serves yet, or there is nothing to warm
  };
  Outcome outcome = Outcome::Unavailable;
  std::vector<std::uint64_t> runs;
  std::string problem;  ///< one line, when there is none
};

/// Threads: any of the listener's.
struct Warming {
  /// Runs the list of that name now, or all when it is empty.
  std::function<WarmReply(const std::string& list)> run;
  /// Lists and runs: JSON.
  std::function<std::string()> json;
};

}  // namespace headgate::admin
