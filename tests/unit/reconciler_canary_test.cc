// SPDX-License-Identifier: MIT
// A commit that goes live step by step: its steps and what stops them, on a clock of the test's
// own.
#include <doctest/doctest.h>

#include <array>

#include "reconciler/rollout/canary.h"

using namespace headgate;
using namespace headgate::reconciler;
using Act = Canary::Act;

namespace {

schema::Rollout two_steps() {
  schema::Rollout rollout;
  rollout.steps = {1, 25};
  rollout.hold = std::chrono::minutes(1);
  return rollout;
}

std::shared_ptr<const schema::Distribution> distribution(const std::string& name,
                                                         const schema::Rollout& rollout) {
  auto made = std::make_shared<schema::Distribution>();
  made->name = name;
  made->aliases = {name + ".test"};
  made->origins.emplace_back();
  made->origins.back().id = "main";
  made->origins.back().domain_name = "127.0.0.1";
  made->default_cache_behavior.target_origin_id = "main";
  made->rollout = rollout;
  return made;
}

std::shared_ptr<const snapshot::Snapshot> generation(
    std::uint64_t number, const std::vector<std::shared_ptr<const schema::Distribution>>& all,
    const snapshot::Snapshot* before = nullptr) {
  auto model = std::make_shared<schema::Model>();
  for (const auto& each : all) model->distributions[each->name] = each;
  auto compiled =
      snapshot::compile(model, {}, before == nullptr ? nullptr : before->configuration.get());
  REQUIRE(compiled.configuration != nullptr);
  auto made = std::make_shared<snapshot::Snapshot>();
  made->generation = number;
  made->lane = static_cast<std::uint8_t>(number % observe::kLanes);
  made->configuration = compiled.configuration;
  return made;
}

struct Fixture {
  std::array<observe::Tally, observe::kLanes> lanes;
  Canary canary{[this](std::uint8_t lane) {
    return std::vector<observe::SlotTally>{{"shop", "*", lanes[lane]}};
  }};
  base::MonoTime now{std::chrono::hours(1)};

  void begin(const schema::Rollout& rollout = two_steps()) {
    const auto live = generation(1, {distribution("shop", rollout)});
    canary.begin(live, generation(2, {distribution("shop", {})}, live.get()), rollout, now);
  }
  void count(std::uint64_t generation, std::uint64_t errors, std::uint64_t requests) {
    lanes[generation].errors += errors;
    lanes[generation].requests += requests;
  }
  Act look(bool may_advance = true) { return canary.look(now, may_advance).act; }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "steps follow each other, and then the commit goes live") {
  begin();
  CHECK(canary.share() == 1);
  CHECK(look() == Act::Nothing);
  now += std::chrono::seconds(59);
  CHECK(look() == Act::Nothing);
  now += std::chrono::seconds(1);
  CHECK(look() == Act::Widen);
  CHECK(canary.share() == 25);
  CHECK(canary.step() == 2);
  CHECK(look() == Act::Nothing);
  now += std::chrono::minutes(1);
  CHECK(look() == Act::Promote);
  canary.end();
  CHECK_FALSE(canary.is_running());
  CHECK(look() == Act::Nothing);
}

TEST_CASE_FIXTURE(Fixture, "a suspension holds the step, not the judgement") {
  begin();
  now += std::chrono::hours(1);
  CHECK(look(false) == Act::Nothing);
  CHECK(canary.share() == 1);
  count(1, 0, 1000);
  count(2, 500, 500);
  CHECK(look(false) == Act::Abort);
}

TEST_CASE_FIXTURE(Fixture, "a commit that is worse than what is live goes back") {
  begin();
  count(1, 0, 1000);
  count(2, 499, 499);
  CHECK(look() == Act::Nothing);
  count(2, 1, 1);
  const Canary::Step step = canary.look(now, true);
  CHECK(step.act == Act::Abort);
  CHECK(step.reason ==
        "shop: 100.0 % of 500 requests ended as 5xx, most of all in *, 0.0 % of 1000 under the "
        "configuration before");
}

TEST_CASE_FIXTURE(Fixture,
                  "what befalls both is not the commit's fault, nor is what came before it") {
  count(2, 1000, 1000);  // of generation -2, in the same lane
  begin();
  CHECK(look() == Act::Nothing);
  count(1, 1000, 1000);
  count(2, 500, 500);
  CHECK(look() == Act::Nothing);
  now += std::chrono::minutes(1);
  CHECK(look() == Act::Widen);
}

TEST_CASE_FIXTURE(Fixture, "a guard that is off stops nothing") {
  schema::Rollout rollout = two_steps();
  rollout.guard.on_fail = schema::RolloutGuard::OnFail::Ignore;
  begin(rollout);
  count(1, 0, 1000);
  count(2, 1000, 1000);
  CHECK(look() == Act::Nothing);
}

TEST_CASE(
    "a commit goes by the steps of the version before, of what it changes, that take longest") {
  schema::Rollout longer = two_steps();
  longer.hold = std::chrono::minutes(5);
  const auto shop = distribution("shop", two_steps());
  const auto blog = distribution("blog", longer);
  const auto wiki = distribution("wiki", {});
  const auto live = generation(1, {shop, blog, wiki});
  const auto hold = [&](const std::vector<std::shared_ptr<const schema::Distribution>>& next) {
    const auto commit = generation(2, next, live.get());
    const auto* rollout = find_rollout(*live->configuration, *commit->configuration);
    return rollout == nullptr ? Duration::zero() : rollout->hold;
  };
  CHECK(hold({shop, blog, wiki}) == Duration::zero());
  CHECK(hold({shop, blog, distribution("wiki", longer)}) == Duration::zero());
  CHECK(hold({distribution("shop", {}), blog, wiki}) == std::chrono::minutes(1));
  CHECK(hold({distribution("shop", {}), distribution("blog", {}), wiki}) ==
        std::chrono::minutes(5));
  CHECK(hold({blog, wiki, distribution("new", longer)}) == Duration::zero());
}
