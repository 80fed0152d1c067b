// SPDX-License-Identifier: MIT
// What an operator may put above the repository for a while: going back, and waiting.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "schema/base/result.h"
#include "schema/base/units.h"

namespace headgate::admin {

/// Each returns what is so now, in one line for people. Errors: Blame::Config when it cannot be
/// done, and why; Blame::Self when the state cannot be written. Threads: any of the listener's.
struct Overriding {
  /// `generation` 0: the newest of another commit than the live one.
  std::function<Result<std::string>(std::uint64_t generation, const std::string& reason)> roll_back;
  std::function<Result<std::string>(Duration how_long, const std::string& reason)> suspend;
  std::function<Result<std::string>()> resume;
};

struct Answer;
struct Call;

/// POST /rollback `{"generation": 4, "reason": "…"}`, /suspend `{"for": "2h", "reason": "…"}`,
/// /resume: 200 `{"done": "…"}`, 400, 409, 503.
Answer answer_override(const Call& call, const Overriding& overriding);

}  // namespace headgate::admin
