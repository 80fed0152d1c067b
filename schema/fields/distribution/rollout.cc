// SPDX-License-Identifier: MIT
// Fields of `rollout` of a distribution.
#include "schema/fields/distribution/rollout.h"

#include "schema/table/percent.h"

namespace headgate::schema {
namespace {

void guard_fields(Object<RolloutGuard>& o) {
  static const PercentType percent;
  static const OptionalOf<double> optional_percent(percent);
  o.field("maxErrorRatioIncrease", &RolloutGuard::max_error_ratio_increase, percent,
          "How much more of the requests may end as 5xx, or fail at the origin, than before the "
          "commit, in percentage points.");
  o.field("maxBlockRatioIncrease", &RolloutGuard::max_block_ratio_increase, optional_percent,
          "The same of requests that geo restrictions, web ACLs and rate limits refuse; without it "
          "they may become any number.");
  o.field("maxP99Increase", &RolloutGuard::max_p99_increase, optional_percent,
          "How much longer the time to the first octet may be that 99 of 100 requests stay below: "
          "`100%` is twice as long. Without it any.")
      .range(0, 10000);
  o.field("minRequests", &RolloutGuard::min_requests,
          "How many requests must have come under the commit before it is judged.")
      .range(10, 1000000);
  o.field("window", &RolloutGuard::window, "How long after it went live a commit is judged.")
      .range(std::chrono::seconds(1), std::chrono::hours(24));
  o.field("onFail", &RolloutGuard::on_fail,
          "What happens then: `rollback` goes back to the configuration before, and holds the "
          "commit; `ignore` turns the guard off.");
}

}  // namespace

const Type& rollout_type() {
  static const Object<RolloutGuard> guard(
      "RolloutGuard",
      "What makes a commit go back by itself. A commit is judged by the version before it.",
      guard_fields);
  static const Object<Rollout> type(
      "Rollout", "How a commit that changes the distribution goes live.", [](Object<Rollout>& o) {
        o.field("guard", &Rollout::guard, guard, "What makes a commit go back by itself.");
        for (const char* name : {"steps", "hold", "sticky"}) o.later(name);
      });
  return type;
}

}  // namespace headgate::schema
