// SPDX-License-Identifier: MIT
// How a commit that changes a distribution goes live, and what makes it go back by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/units.h"

namespace headgate::schema {

/// What of a distribution's requests may become worse with a commit. Increases are in percentage
/// points: from 1 % to 1.4 % is one of 0.4.
struct RolloutGuard {
  enum class OnFail { Rollback, Ignore };
  double max_error_ratio_increase = 0.5;           ///< of 5xx, and of failed requests to origins
  std::optional<double> max_block_ratio_increase;  ///< nothing: blocks are not looked at
  std::optional<double> max_p99_increase;  ///< in percent of the p99 itself; nothing: not looked at
  std::uint32_t min_requests = 500;        ///< under the commit, before it is judged
  Duration window = std::chrono::minutes(3);
  OnFail on_fail = OnFail::Rollback;
};

/// Who sends this header gets a commit from its first step on.
struct RolloutHeader {
  std::string name;  ///< as it was written
  std::string value;
};

struct Rollout {
  enum class Sticky { Ip, Cookie };
  std::vector<double> steps;                ///< in percent of viewers, rising; empty: all at once
  Duration hold = std::chrono::minutes(2);  ///< of each step
  Sticky sticky = Sticky::Ip;
  std::optional<RolloutHeader> header;
  RolloutGuard guard;

  /// Of all steps.
  Duration duration() const { return hold * static_cast<Duration::rep>(steps.size()); }
};

}  // namespace headgate::schema
