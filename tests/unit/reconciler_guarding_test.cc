// SPDX-License-Identifier: MIT
// The guard's rollback in a reconciler of its own: what serves meanwhile, what is recorded, and
// what holds after a restart.
#include <doctest/doctest.h>

#include "tests/support/guarded_edge.h"

using namespace headgate;
using namespace headgate::reconciler;

using Fixture = test::GuardedEdge;

TEST_CASE_FIXTURE(Fixture,
                  "while a commit is under suspicion both serve, and purges hold for both") {
  start();
  suspect();
  CHECK(condition("Watched") == "Comparing");
  REQUIRE(holder.published().other);
  CHECK(holder.published().other->generation == 1);
  CHECK(live() == 2);
  purge("now");
  const auto both = holder.published();
  REQUIRE(both.other);
  CHECK(both.other->purges == both.live->purges);
  CHECK(both.other->purges->epoch() > 0);
}

TEST_CASE_FIXTURE(Fixture, "a commit that is worse is held, and its configuration serves no more") {
  start();
  const std::string bad = suspect();
  roll_back();
  CHECK(live() == 3);
  CHECK(holder.published().other == nullptr);
  CHECK(condition("RolledBack") == "Guard");
  CHECK(condition("Watched") == "none");
  CHECK(condition("Ready") == "NotApplied");
  CHECK(reconciler->reconcile(true) == Round::Unchanged);
  CHECK(live() == 3);
  const Json status = reconciler->board().status();
  CHECK(status["revisions"]["desired"] == bad);
}

TEST_CASE_FIXTURE(Fixture, "what is alike under both ends the comparison") {
  start();
  suspect();
  count(2, 20, 20);
  count(1, 20, 20);
  reconciler->guard(now);
  CHECK(live() == 2);
  CHECK(holder.published().other == nullptr);
  CHECK(condition("Watched") == "GuardWindow");
  now += std::chrono::hours(1);
  reconciler->guard(now);
  CHECK(condition("Watched") == "none");
}

TEST_CASE_FIXTURE(Fixture,
                  "held commits are held after a restart, a compaction and an older snapshot") {
  start();
  suspect();
  roll_back();
  for (const std::uint64_t limit : {std::uint64_t{1}, std::uint64_t{4U << 20}}) {
    start(limit);
    CHECK(condition("RolledBack") == "Guard");
    CHECK(reconciler->reconcile(true) == Round::Unchanged);
    // A record more, so that a journal of one octet is compacted.
    purge("limit" + std::to_string(limit));
  }
  CHECK(live() == 3);
}

TEST_CASE_FIXTURE(Fixture, "what the operator lets through is not watched") {
  start();
  suspect();
  roll_back();
  CHECK(reconciler->resume_following());
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(live() == 4);
  CHECK(condition("Watched") == "none");
  CHECK(condition("RolledBack") == "none");
}

TEST_CASE_FIXTURE(Fixture, "a commit that comes during the comparison ends it, and is watched") {
  start();
  suspect();
  put("three");
  CHECK(live() == 3);
  CHECK(holder.published().other == nullptr);
  CHECK(condition("Watched") == "GuardWindow");
  count(3, 500, 500);
  reconciler->guard(now);
  CHECK(holder.published().other->generation == 1);  // two was no good
}

TEST_CASE_FIXTURE(Fixture,
                  "a commit that goes by steps serves beside what is live, until its last one") {
  start();
  put("one", "{ steps: [12.5%], hold: 1m, sticky: cookie, header: { name: X-Try, value: a } }");
  const std::string commit = put("two");
  auto both = holder.published();
  CHECK(live() == 1);
  REQUIRE(both.other);
  CHECK(both.other->generation == 2);
  CHECK(both.other->commit == commit);
  REQUIRE(both.split);
  CHECK(both.split->share == 1250);
  CHECK(both.split->by_cookie);
  CHECK(both.split->header == "x-try");
  CHECK(both.split->generation == 2);
  CHECK(both.split->cookie_seconds == 60);
  CHECK(condition("RollingOut") == "Canary");
  CHECK(condition("Ready") == "NotApplied");
  CHECK(reconciler->reconcile(true) == Round::Unchanged);
  purge("now");
  CHECK(holder.published().other->purges == holder.published().live->purges);
  reconciler->guard(base::mono_now() + std::chrono::minutes(2));
  both = holder.published();
  CHECK(live() == 2);
  CHECK_FALSE(both.other);
  CHECK(condition("RollingOut") == "none");
  CHECK(condition("Watched") == "GuardWindow");
  CHECK(condition("Ready") == "Applied");
}

TEST_CASE_FIXTURE(
    Fixture, "a staged commit that is worse leaves a generation that nobody has seen go back") {
  start();
  put("one", "{ steps: [10%] }");
  put("two");
  count(1, 0, 1000);
  count(2, 500, 500);
  reconciler->guard(now);
  CHECK(live() == 3);
  CHECK_FALSE(holder.published().other);
  CHECK(condition("RolledBack") == "Guard");
  CHECK(reconciler->reconcile(true) == Round::Unchanged);
  CHECK(reconciler->resume_following());
  CHECK(reconciler->reconcile(false) == Round::Applied);  // without steps: the operator said so
  CHECK(live() == 4);
}

TEST_CASE_FIXTURE(Fixture, "what may mend a commit under suspicion goes live at once") {
  start();
  put("one");
  put("two", "{ steps: [10%] }");
  count(2, 500, 500);
  reconciler->guard(now);
  CHECK(condition("Watched") == "Comparing");
  put("three");
  CHECK(live() == 3);
  CHECK_FALSE(holder.published().split);
}

TEST_CASE_FIXTURE(Fixture,
                  "a commit that is refused does not end what is staged; one that is live does") {
  start();
  put("one", "{ steps: [10%] }");
  const std::string live_commit = repository.git("rev-parse HEAD");
  put("two");
  repository.write("other.yaml", "kind: nothing");
  repository.commit("broken");
  CHECK(reconciler->reconcile(false) == Round::Refused);
  CHECK(reconciler->reconcile(false) == Round::Unchanged);
  REQUIRE(holder.published().other);
  CHECK(holder.published().other->generation == 2);
  repository.git("reset --quiet --hard " + live_commit);
  CHECK(reconciler->reconcile(false) == Round::Unchanged);
  CHECK_FALSE(holder.published().other);
  CHECK(live() == 3);
  CHECK(condition("RollingOut") == "none");
  CHECK(condition("RolledBack") == "none");
}
