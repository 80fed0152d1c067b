// SPDX-License-Identifier: MIT
// Fields of `rollout` of a distribution.
#include "schema/fields/distribution/rollout.h"

#include "schema/table/percent.h"
#include "schema/validate/syntax.h"

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

/// Shares that do not grow would take the commit from viewers who have it.
void check_steps(Rollout& rollout, const Node& node, Decoder& decoder) {
  const Node* steps = node.find("steps");
  if (steps == nullptr || rollout.steps.empty()) return;
  double last = 0;
  for (const double step : rollout.steps) {
    if (step <= last || step >= 100) {
      decoder.error(Code::OutOfRange, steps->mark, "`steps` must rise, from above 0% to below 100%",
                    "such as [1%, 10%, 50%]; all viewers come after the last step");
      return;
    }
    last = step;
  }
}

}  // namespace

const Type& rollout_type() {
  static const Object<RolloutHeader> header(
      "RolloutHeader", "A request header that testers send.", [](Object<RolloutHeader>& o) {
        o.field("name", &RolloutHeader::name, "Its name.").required().format(kHeaderName);
        o.field("value", &RolloutHeader::value, "Its value.").required().format(kNotEmpty);
      });
  static const OptionalOf<RolloutHeader> optional_header(header);
  static const Object<RolloutGuard> guard(
      "RolloutGuard",
      "What makes a commit go back by itself. A commit is judged by the version before it.",
      guard_fields);
  static const Object<Rollout> type(
      "Rollout", "How a commit that changes the distribution goes live.", [](Object<Rollout>& o) {
        static const PercentType percent;
        static const ListOf<double> percents(percent);
        o.field("steps", &Rollout::steps, percents,
                "The shares of viewers that a commit serves, one after the other, before it serves "
                "all of them. Without it, all at once.")
            .items(1, 20);
        o.field("hold", &Rollout::hold, "How long each step lasts.")
            .range(std::chrono::seconds(1), std::chrono::hours(24));
        o.field(
            "sticky", &Rollout::sticky,
            "How a viewer is known again, who gets the same all the time: by the address, or by "
            "the cookie `Headgate-Rollout`, which the edge sets.");
        o.field("header", &Rollout::header, optional_header,
                "Who sends it gets a commit from its first step on.");
        o.field("guard", &Rollout::guard, guard, "What makes a commit go back by itself.");
        o.check(check_steps);
      });
  return type;
}

}  // namespace headgate::schema
