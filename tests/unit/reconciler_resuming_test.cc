// SPDX-License-Identifier: MIT
// A restart in the middle of a guard window, or of a commit that goes live by steps: both go on
// where they were.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "reconciler/rollout/progress.h"
#include "tests/support/guarded_edge.h"

using namespace headgate;
using namespace headgate::reconciler;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Fixture : test::GuardedEdge {
  std::string mark_of(const std::shared_ptr<const snapshot::Snapshot>& snapshot) const {
    REQUIRE(snapshot != nullptr);
    return snapshot->configuration->model()
        .response_headers_policies.at("mark")
        ->custom_headers.front()
        .value;
  }

  /// Time passes, and the guard looks.
  void pass(Duration time) {
    now += time;
    reconciler->guard(now);
  }

  void damage(const std::string& name) {
    std::ofstream(folder / ("state/" + name), std::ios::trunc) << "damaged";
  }
  void damage_snapshot(std::uint64_t generation) {
    for (const auto& activation : digests)
      if (activation.first == generation) damage("snapshots/" + activation.second);
  }
  /// As they are now: those of `staged` and `activated` events.
  void note_digests() {
    for (const auto& [sequence, line] : reconciler->board().events(0, 1000)) {
      const Json event = Json::parse(line);
      if (event.contains("digest"))
        digests.emplace_back(event.at("generation").get<std::uint64_t>(),
                             event.at("digest").get<std::string>());
    }
  }

  /// Two serves half of the viewers, beside one.
  std::string stage_second_step() {
    put("one", "{ steps: [10%, 50%], hold: 1m }");
    std::string commit = put("two", "{ steps: [10%, 50%], hold: 1m }");
    pass(minutes(1));
    REQUIRE(holder.published().split->share == 5000);
    note_digests();
    return commit;
  }

  /// Starts with the same limit for the journal as before: twice, as the first record after a start
  /// is what has it compacted.
  void restart() {
    if (reconciler != nullptr) {
      start(journal_limit);
      purge("restart " + std::to_string(++restarts));
    }
    start(journal_limit);
  }

  std::uint64_t journal_limit = 4U << 20;
  int restarts = 0;
  std::vector<std::pair<std::uint64_t, std::string>> digests;
};

/// A journal that is compacted with every record, and one that is not.
#define HG_EACH_JOURNAL()                                                  \
  SUBCASE("from a journal that has been compacted") { journal_limit = 1; } \
  SUBCASE("from a journal as it was written") {}                           \
  restart()

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a restart does not end a guard window, and the way back is open") {
  HG_EACH_JOURNAL();
  put("good");
  const std::string bad = put("bad");
  restart();
  CHECK(condition("Watched") == "GuardWindow");
  CHECK(live() == 2);
  count(2, 500, 500);
  reconciler->guard(now);
  CHECK(condition("Watched") == "Comparing");
  REQUIRE(holder.published().other);
  CHECK(holder.published().other->generation == 1);
  count(2, 20, 20);
  count(1, 0, 20);
  reconciler->guard(now);
  CHECK(live() == 3);
  CHECK(mark_of(holder.get()) == "good");
  CHECK(condition("RolledBack") == "Guard");
  restart();
  CHECK(condition("Watched") == "none");
  CHECK(condition("RolledBack") == "Guard");
}

TEST_CASE_FIXTURE(Fixture, "the time in which the edge was down is not of the window") {
  start();
  put("one");
  put("two");
  pass(seconds(100));
  reconciler.reset();
  now += std::chrono::hours(5);
  start();
  CHECK(condition("Watched") == "GuardWindow");
  pass(seconds(79));
  CHECK(condition("Watched") == "GuardWindow");
  pass(seconds(1));
  CHECK(condition("Watched") == "none");
  start();
  CHECK(condition("Watched") == "none");  // `confirmed` is in the journal
}

TEST_CASE_FIXTURE(Fixture, "without the file, or with a damaged one, a window begins anew") {
  for (const bool damaged : {false, true}) {
    start();
    put(damaged ? "three" : "one");
    put(damaged ? "four" : "two");
    pass(seconds(100));
    reconciler.reset();
    if (damaged)
      damage("rollout");
    else
      std::filesystem::remove(folder / "state/rollout");
    start();
    pass(seconds(179));
    CHECK(condition("Watched") == "GuardWindow");
    pass(seconds(1));
    CHECK(condition("Watched") == "none");
    CHECK((said.find("begins anew") != std::string::npos) == damaged);
  }
}

TEST_CASE_FIXTURE(Fixture, "without what it is held against, a commit stays, and that is said") {
  start();
  put("one");
  note_digests();
  put("two");
  reconciler.reset();
  damage_snapshot(1);
  start();
  CHECK(live() == 2);
  CHECK(condition("Watched") == "none");
  CHECK(said.find("the guard window has ended early") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a commit that was under suspicion is no measure after a restart") {
  HG_EACH_JOURNAL();
  put("good");
  put("bad", "{ steps: [10%] }");
  count(2, 500, 500);
  reconciler->guard(now);
  REQUIRE(condition("Watched") == "Comparing");
  restart();
  CHECK(condition("Watched") == "GuardWindow");
  put("next");  // at once, though it is to go by steps: it may be what mends it
  CHECK(live() == 3);
  count(3, 500, 500);
  reconciler->guard(now);
  REQUIRE(holder.published().other);
  CHECK(holder.published().other->generation == 1);
  count(3, 500, 500);
  count(1, 0, 500);
  reconciler->guard(now);
}

TEST_CASE_FIXTURE(Fixture, "a restart leaves a commit at its step, in its generation") {
  HG_EACH_JOURNAL();
  const std::string commit = stage_second_step();
  pass(seconds(40));
  restart();
  CHECK(live() == 1);
  const auto both = holder.published();
  REQUIRE(both.other);
  CHECK(both.other->generation == 2);
  CHECK(both.other->commit == commit);
  CHECK(both.split->share == 5000);
  CHECK(both.split->generation == 2);
  CHECK(condition("RollingOut") == "Canary");
  CHECK(reconciler->reconcile(true) == Round::Unchanged);
  pass(seconds(19));
  CHECK(condition("RollingOut") == "Canary");
  pass(seconds(1));
  CHECK(live() == 2);
  CHECK(condition("RollingOut") == "none");
  CHECK(condition("Watched") == "GuardWindow");
  restart();  // and the window of what went live by steps goes on, too
  CHECK(live() == 2);
  CHECK(condition("Watched") == "GuardWindow");
  CHECK_FALSE(holder.published().split);
}

TEST_CASE_FIXTURE(Fixture,
                  "a staged commit can be left after a restart, by the guard and by hand") {
  start();
  stage_second_step();
  start();
  count(1, 0, 1000);
  count(2, 500, 500);
  reconciler->guard(now);
  CHECK(live() == 3);
  CHECK(mark_of(holder.get()) == "one");
  CHECK_FALSE(holder.published().other);
  CHECK(condition("RolledBack") == "Guard");

  put("three", "{ steps: [10%] }");
  REQUIRE(holder.published().split);
  start();
  REQUIRE(holder.published().split);
  CHECK(reconciler->roll_back(0, "not now"));
  CHECK(mark_of(holder.get()) == "one");
  CHECK(condition("RolledBack") == "Operator");
}

TEST_CASE_FIXTURE(Fixture, "with a damaged file the step is the same, and begins anew") {
  start();
  stage_second_step();
  pass(seconds(40));
  reconciler.reset();
  damage("rollout");
  start();
  CHECK(holder.published().split->share == 5000);
  pass(seconds(59));
  CHECK(condition("RollingOut") == "Canary");
  pass(seconds(1));
  CHECK(live() == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "a staged commit that cannot be read begins anew, and nobody goes back") {
  start();
  stage_second_step();
  reconciler.reset();
  damage_snapshot(2);
  start();
  CHECK(live() == 3);
  CHECK_FALSE(holder.published().other);
  CHECK(said.find("generation 2, which was going live by steps, cannot be resumed") !=
        std::string::npos);
  CHECK(reconciler->reconcile(false) == Round::Staged);
  CHECK(holder.published().other->generation == 4);
  CHECK(holder.published().split->share == 1000);
}

TEST_CASE_FIXTURE(Fixture, "what was staged unverified is not, once commits must be verified") {
  start();
  stage_second_step();
  reconciler.reset();
  more.verify.trusted_commit = std::string(40, 'a');
  start();
  CHECK(live() == 3);
  CHECK_FALSE(holder.published().other);
}

TEST_CASE_FIXTURE(Fixture,
                  "a clock that steps changes no window and no step, in a run and between") {
  Timestamp wall = *parse_timestamp("2026-11-20T10:00:00Z");
  more.activator.now = [&wall] { return wall; };
  start();
  const auto restart_at = [&](const char* time) {
    wall = *parse_timestamp(time);
    pass(Duration::zero());
    start();
  };
  put("one", "{ steps: [10%], hold: 1m }");
  put("two");
  for (const char* time :
       {"2036-01-01T00:00:00Z", "1999-01-01T00:00:00Z", "2026-11-20T10:00:00Z"}) {
    CAPTURE(time);
    restart_at(time);
    CHECK(condition("RollingOut") == "Canary");
    CHECK(live() == 1);
  }
  pass(seconds(59));
  CHECK(live() == 1);
  pass(seconds(1));
  CHECK(live() == 2);
  for (const char* time : {"1999-01-01T00:00:00Z", "2036-01-01T00:00:00Z"}) {
    CAPTURE(time);
    restart_at(time);
    CHECK(condition("Watched") == "GuardWindow");
  }
  pass(seconds(179));
  CHECK(condition("Watched") == "GuardWindow");
  pass(seconds(1));
  CHECK(condition("Watched") == "none");
}

TEST_CASE_FIXTURE(Fixture, "a suspension ends at its moment, whichever way the clock comes there") {
  Timestamp wall = *parse_timestamp("2026-11-20T10:00:00Z");
  more.activator.now = [&wall] { return wall; };
  start();
  put("one");
  REQUIRE(reconciler->suspend(std::chrono::hours(1), "the sale"));
  wall -= std::chrono::hours(24);
  CHECK(reconciler->reconcile(true) == Round::Unchanged);
  put("two");
  CHECK(mark_of(holder.get()) == "one");
  start();
  CHECK(reconciler->reconcile(true) == Round::Unchanged);
  wall += std::chrono::hours(25);
  CHECK(reconciler->reconcile(true) == Round::Applied);
  CHECK(mark_of(holder.get()) == "two");
}

TEST_CASE("what is written about progress is read again, and damage is told") {
  const test::ScratchFolder folder;
  const std::string path = folder / "rollout";
  Disk disk;
  const auto none = read_progress(path);
  REQUIRE(none);
  CHECK_FALSE(none->has_value());
  REQUIRE(write_progress(disk, path, {17, 2, {{"", seconds(41)}, {"a \"b\"\n", minutes(2)}}}));
  const auto read = read_progress(path);
  REQUIRE((read && *read));
  CHECK((*read)->generation == 17);
  CHECK((*read)->step == 2);
  CHECK((*read)->left == TimeLeft{{"", seconds(41)}, {"a \"b\"\n", minutes(2)}});
  const std::string whole = *read_file(path, 1000);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    CAPTURE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(path, std::ios::trunc) << damaged;
    CHECK_FALSE(read_progress(path));
    std::ofstream(path, std::ios::trunc) << whole.substr(0, at);
    CHECK_FALSE(read_progress(path));
  }
}
