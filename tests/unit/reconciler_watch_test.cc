// SPDX-License-Identifier: MIT
// The guard window: from a commit's requests to what is to be done, on a clock of the test's own.
#include <doctest/doctest.h>

#include <array>

#include "reconciler/rollout/watch.h"

using namespace headgate;
using namespace headgate::reconciler;
using Act = Watch::Act;
using observe::Tally;

namespace {

schema::RolloutGuard ignoring() {
  schema::RolloutGuard guard;
  guard.on_fail = schema::RolloutGuard::OnFail::Ignore;
  return guard;
}

schema::RolloutGuard after_ten() {
  schema::RolloutGuard guard;
  guard.min_requests = 10;
  return guard;
}

std::shared_ptr<schema::Distribution> distribution(const std::string& name) {
  auto made = std::make_shared<schema::Distribution>();
  made->name = name;
  made->aliases = {name + ".test"};
  made->origins.emplace_back();
  made->origins.back().id = "main";
  made->origins.back().domain_name = "127.0.0.1";
  made->default_cache_behavior.target_origin_id = "main";
  return made;
}

struct Fixture {
  std::array<std::vector<observe::SlotTally>, observe::kLanes> lanes;
  Watch watch{[this](std::uint8_t lane) { return lanes[lane]; }};
  base::MonoTime now{std::chrono::hours(1)};
  std::shared_ptr<const schema::Distribution> blog = distribution("blog");
  std::shared_ptr<const snapshot::Snapshot> last;
  std::uint64_t made = 0;

  /// The next generation: another shop, and the blog as it is.
  std::shared_ptr<const snapshot::Snapshot> make(const schema::RolloutGuard& guard = {}) {
    auto shop = distribution("shop");
    shop->rollout.guard = guard;
    auto model = std::make_shared<schema::Model>();
    model->distributions = {{"shop", shop}, {"blog", blog}};
    auto compiled =
        snapshot::compile(model, {}, last == nullptr ? nullptr : last->configuration.get());
    REQUIRE(compiled.configuration != nullptr);
    auto snapshot = std::make_shared<snapshot::Snapshot>();
    snapshot->generation = ++made;
    snapshot->lane = static_cast<std::uint8_t>(made % observe::kLanes);
    snapshot->configuration = compiled.configuration;
    last = snapshot;
    return snapshot;
  }

  void serve(const schema::RolloutGuard& guard = {}) { watch.serves(make(guard), true, now); }

  /// Requests of the shop in the lane of `generation`.
  void count(std::uint64_t generation, std::uint64_t errors, std::uint64_t requests,
             const std::string& distribution = "shop", const std::string& behavior = "*") {
    Tally tally;
    tally.requests = requests;
    tally.errors = errors;
    auto& lane = lanes[generation % observe::kLanes];
    for (auto& each : lane)
      if (each.distribution == distribution && each.behavior == behavior) {
        each.tally += tally;
        return;
      }
    lane.push_back({distribution, behavior, tally});
  }

  Act look() { return watch.look(now).act; }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "the first configuration is compared with nothing") {
  serve();
  count(1, 1000, 1000);
  CHECK_FALSE(watch.is_watching());
  CHECK(look() == Act::Nothing);
}

TEST_CASE_FIXTURE(Fixture, "a commit that fails while the one before does not is rolled back") {
  serve();
  count(1, 0, 1000);
  serve();
  CHECK(look() == Act::Nothing);
  count(2, 300, 300, "shop", "/api/*");
  count(2, 0, 200);
  const Watch::Step suspicion = watch.look(now);
  CHECK(suspicion.act == Act::Compare);
  CHECK(suspicion.reason == "shop: 60.0 % of 500 requests ended as 5xx");
  CHECK(watch.good()->generation == 1);
  CHECK(look() == Act::Nothing);  // what came before says nothing any more
  count(2, 30, 30, "shop", "/api/*");
  count(1, 0, 30, "shop", "/api/*");
  const Watch::Step step = watch.look(now);
  CHECK(step.act == Act::RollBack);
  CHECK(step.reason ==
        "shop: 100.0 % of 30 requests ended as 5xx, most of all in /api/*, 0.0 % of 30 under the "
        "configuration before");
}

TEST_CASE_FIXTURE(Fixture, "an outage that hits both alike rolls nothing back") {
  serve();
  count(1, 0, 1000);
  serve();
  count(2, 500, 500);
  CHECK(look() == Act::Compare);
  count(2, 30, 30);
  count(1, 30, 30);
  const Watch::Step step = watch.look(now);
  CHECK(step.act == Act::Clear);
  CHECK(step.reason == "shop: it is the same under the configuration before");
  CHECK(watch.is_watching());
  CHECK(look() == Act::Nothing);
  count(2, 500, 500);  // it goes on, and so does the window
  CHECK(look() == Act::Compare);
}

TEST_CASE_FIXTURE(Fixture, "a distribution that the commit left alone is not its fault") {
  serve();
  count(1, 0, 1000, "blog");
  serve();
  count(2, 1000, 1000, "blog");
  CHECK(look() == Act::Nothing);
}

TEST_CASE_FIXTURE(Fixture, "the window ends, and then nothing is the commit's fault any more") {
  serve();
  serve();
  now += std::chrono::minutes(3);
  count(2, 1000, 1000);
  CHECK(look() == Act::End);
  CHECK_FALSE(watch.is_watching());
  CHECK(look() == Act::Nothing);
}

TEST_CASE_FIXTURE(Fixture,
                  "a late suspicion has a window of its own, and is cleared without requests") {
  serve();
  serve();
  now += std::chrono::seconds(179);
  count(2, 1000, 1000);
  CHECK(look() == Act::Compare);
  now += std::chrono::seconds(179);
  CHECK(look() == Act::Nothing);
  now += std::chrono::seconds(1);
  const Watch::Step step = watch.look(now);
  CHECK(step.act == Act::Clear);
  CHECK(step.reason == "shop: too few requests came to tell");
  CHECK(look() == Act::End);
}

TEST_CASE_FIXTURE(Fixture,
                  "the guard of the version before decides, so that no commit loosens its own") {
  serve(after_ten());
  serve(ignoring());
  count(2, 10, 10);
  CHECK(look() == Act::Compare);
  serve();
  CHECK(watch.good()->generation == 1);  // two was under suspicion
  CHECK(watch.is_watching());
}

TEST_CASE_FIXTURE(Fixture, "a guard that is off watches nothing") {
  serve(ignoring());
  serve();
  CHECK_FALSE(watch.is_watching());
}

TEST_CASE_FIXTURE(Fixture, "a commit after one without suspicion is compared with that one") {
  serve();
  serve();
  count(2, 0, 1000);
  serve();
  CHECK(watch.good()->generation == 2);
}

TEST_CASE_FIXTURE(Fixture, "what was bad before the commit is not its fault") {
  serve();
  count(1, 500, 1000);
  serve();
  count(2, 500, 1000);
  CHECK(look() == Act::Nothing);
}

TEST_CASE_FIXTURE(Fixture,
                  "lanes are used again, and what was counted in them long ago does not count") {
  serve();
  serve();
  count(5, 1000, 1000);
  serve();
  serve();
  serve();
  CHECK(look() == Act::Nothing);
}

TEST_CASE_FIXTURE(Fixture, "what is no commit's doing is not watched") {
  serve();
  watch.serves(make(), false, now);
  CHECK_FALSE(watch.is_watching());
}
