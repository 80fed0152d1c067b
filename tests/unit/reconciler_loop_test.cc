// SPDX-License-Identifier: MIT
// The reconciler on real repositories: commits go live, broken ones do not, and everybody can see
// why.
#include <doctest/doctest.h>

#include "reconciler/loop/reconciler.h"
#include "tests/support/gate.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;
using test::ScratchFolder;
using test::ScratchRepository;

namespace {

struct Fixture {
  ScratchFolder folder;
  ScratchRepository repository{folder / "site"};
  Disk disk;
  snapshot::SnapshotHolder holder;
  base::Mutex mutex;
  std::string said;
  std::unique_ptr<Reconciler> reconciler;

  void start(const std::string& url = "", Duration poll = std::chrono::hours(1)) {
    reconciler.reset();  // gives the state folder back
    ReconcilerOptions options;
    options.source.urls = {url.empty() ? repository.path() : url};
    options.source.poll = poll;
    options.activator.state = folder / "state";
    options.activator.log = [this](const std::string& line) {
      const base::MutexLock lock(mutex);
      said += line + "\n";
    };
    auto opened = Reconciler::open(std::move(options), holder, disk);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().context));
    reconciler = std::move(*opened);
  }

  std::string put(const std::string& mark) const {
    repository.write("shop.yaml", test::shop_yaml(mark));
    return repository.commit("mark " + mark);
  }

  std::string mark() const {
    const auto snapshot = holder.get();
    if (snapshot == nullptr) return "nothing";
    return snapshot->configuration->model()
        .response_headers_policies.at("mark")
        ->custom_headers.front()
        .value;
  }

  Json status() const { return reconciler->board().status(); }

  std::string condition(const std::string& type) const {
    const Json now = status();
    for (const Json& each : now.at("conditions"))
      if (each.at("type") == type)
        return each.at("status").get<std::string>() + " " + each.at("reason").get<std::string>();
    return "none";
  }

  std::vector<Json> events(const std::string& type) const {
    std::vector<Json> found;
    for (const auto& [sequence, line] : reconciler->board().events(0, 1000)) {
      Json event = Json::parse(line);
      if (event.at("type") == type) found.push_back(std::move(event));
    }
    return found;
  }
};

constexpr const char* kBroken =
    "apiVersion: headgate/v1\nkind: Distribution\nmetadata: { name: other }\nspec:\n  originz: "
    "[]\n";

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a commit goes live, and status says so") {
  const std::string commit = put("one");
  start();
  CHECK_FALSE(reconciler->resume());
  CHECK(condition("Ready") == "Unknown NotAttempted");
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(mark() == "one");
  CHECK(holder.get()->commit == commit);
  CHECK(holder.get()->label == "1-" + commit.substr(0, 7));
  const Json now = status();
  for (const char* revision : {"desired", "attempted", "applied", "lastGood"})
    CHECK(now["revisions"][revision] == commit);
  CHECK(now["generation"] == 1);
  CHECK(now["source"]["url"] == repository.path());
  CHECK(now["history"].size() == 1);
  CHECK(now["history"][0]["subject"] == "mark one");
  CHECK(condition("Ready") == "True Applied");
  CHECK(condition("SourceReady") == "True Fetched");
  CHECK(condition("Validated") == "True Valid");
  CHECK(condition("TestsPassed") == "True Passed");
  CHECK(condition("Reconciling") == "False Idle");
  CHECK(reconciler->board().ready());
  CHECK(reconciler->reconcile(false) == Round::Unchanged);
  CHECK(reconciler->reconcile(true) == Round::Unchanged);
  CHECK(events("activated").size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a commit that changes no configuration is a generation of its own") {
  put("one");
  start();
  reconciler->reconcile(false);
  const auto before = holder.get()->configuration;
  repository.write("README.md", "words");
  const std::string commit = repository.commit();
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(holder.get()->generation == 2);
  CHECK(holder.get()->commit == commit);
  // What did not change was neither parsed nor compiled again.
  CHECK(holder.get()->configuration->model().distributions.at("shop") ==
        before->model().distributions.at("shop"));
}

TEST_CASE_FIXTURE(Fixture, "a broken commit leaves the one before, and says where it is broken") {
  const std::string good = put("one");
  start();
  reconciler->reconcile(false);
  const auto before = holder.get();
  repository.write("other.yaml", kBroken);
  const std::string bad = repository.commit("broken");
  CHECK(reconciler->reconcile(false) == Round::Refused);
  CHECK(holder.get() == before);
  const Json now = status();
  CHECK(now["revisions"]["desired"] == bad);
  CHECK(now["revisions"]["attempted"] == bad);
  CHECK(now["revisions"]["applied"] == good);
  CHECK(now["refused"]["commit"] == bad);
  CHECK(now["refused"]["stage"] == "validate");
  CHECK(now["diagnostics"].dump().find("other.yaml:5:3: error: [HG") != std::string::npos);
  CHECK(condition("Ready") == "False CommitRefused");
  CHECK(condition("Validated") == "False ValidationFailed");
  CHECK(condition("Stalled") == "True CommitRefused");
  CHECK_FALSE(reconciler->board().ready());
  CHECK(said.find("other.yaml:5:3: error") != std::string::npos);
  REQUIRE(events("refused").size() == 1);
  CHECK(events("refused")[0]["diagnostics"].dump().find("other.yaml:5:3") != std::string::npos);

  CHECK(reconciler->reconcile(false) == Round::Unchanged);  // not tried again by itself
  CHECK(reconciler->reconcile(true) == Round::Refused);     // but when asked for
  CHECK(events("refused").size() == 1);                     // and not told twice
  std::filesystem::remove(repository / "other.yaml");
  repository.commit("mended");
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(condition("Ready") == "True Applied");
  CHECK(status()["refused"].is_null());
  CHECK(status()["diagnostics"].empty());
}

TEST_CASE_FIXTURE(Fixture, "when the ref goes back to what is live, the refusal is over") {
  put("one");
  start();
  reconciler->reconcile(false);
  repository.write("other.yaml", kBroken);
  repository.commit("broken");
  CHECK(reconciler->reconcile(false) == Round::Refused);
  repository.git("reset --quiet --hard HEAD~1");
  CHECK(reconciler->reconcile(false) == Round::Unchanged);
  CHECK(condition("Ready") == "True Applied");
  CHECK(condition("Validated") == "True Valid");
  CHECK(condition("Stalled") == "False Progressing");
}

TEST_CASE_FIXTURE(Fixture, "a commit whose expectations fail is refused") {
  put("one");
  start();
  reconciler->reconcile(false);
  repository.write(
      "expect.yaml",
      "apiVersion: headgate/v1\nkind: Expect\nmetadata: { name: routing }\nspec:\n  distribution: "
      "shop\n  cases:\n"
      "    - request: { url: \"http://shop.test/\" }\n      expect: { status: 403 }\n");
  repository.commit();
  CHECK(reconciler->reconcile(false) == Round::Refused);
  CHECK(mark() == "one");
  CHECK(condition("Validated") == "True Valid");
  CHECK(condition("TestsPassed") == "False ExpectationFailed");
  CHECK(status()["diagnostics"].dump().find("expect.yaml:7:1: error: [HG1502]") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "the last good configuration serves with the source gone, and the source is "
                  "followed when it is back") {
  const std::string commit = put("one");
  start();
  reconciler->resume();
  reconciler->reconcile(false);
  std::filesystem::rename(repository.path(), folder / "away");
  holder.publish(nullptr);
  start();
  CHECK(reconciler->resume());
  CHECK(mark() == "one");
  CHECK(holder.get()->generation == 1);
  CHECK(condition("Ready") == "True Applied");
  CHECK(reconciler->reconcile(false) == Round::SourceFailed);
  CHECK(reconciler->reconcile(false) == Round::SourceFailed);
  CHECK(events("sourceFailed").size() == 1);
  CHECK(condition("SourceReady") == "False FetchFailed");
  CHECK(condition("Ready") == "True Applied");
  CHECK(status()["revisions"]["applied"] == commit);
  CHECK(reconciler->board().source_age_seconds() < 0);
  std::filesystem::rename(folder / "away", repository.path());
  CHECK(reconciler->reconcile(false) == Round::Unchanged);
  CHECK(events("sourceRecovered").size() == 1);
  CHECK(condition("SourceReady") == "True Fetched");
  CHECK(reconciler->board().source_age_seconds() >= 0);
  put("two");
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(holder.get()->generation == 2);
}

TEST_CASE_FIXTURE(Fixture, "an unreachable source at first boot is a condition, not the end") {
  start(folder / "nowhere");
  CHECK_FALSE(reconciler->resume());
  CHECK(reconciler->reconcile(false) == Round::SourceFailed);
  CHECK(condition("Ready") == "False NothingApplied");
  CHECK(holder.get() == nullptr);
  put("one");
  std::filesystem::rename(repository.path(), folder / "nowhere");
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(mark() == "one");
}

TEST_CASE_FIXTURE(Fixture, "a force-push is followed and told") {
  put("one");
  put("two");
  start();
  reconciler->reconcile(false);
  repository.git("reset --quiet --hard HEAD~1");
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(mark() == "one");
  CHECK(holder.get()->generation == 2);  // older content, newer generation
  put("other");
  CHECK(reconciler->reconcile(false) == Round::Applied);
  const auto activations = events("activated");
  REQUIRE(activations.size() == 3);
  CHECK_FALSE(activations[0].contains("historyRewritten"));
  CHECK(activations[1]["historyRewritten"] == true);
  CHECK_FALSE(activations[2].contains("historyRewritten"));
}

TEST_CASE_FIXTURE(Fixture, "an invalidation runs once, through restarts and rewritten history") {
  put("one");
  start();
  reconciler->reconcile(false);
  const cache::Stamp old{holder.get()->purges->epoch(), 1};
  repository.write("purge.yaml", test::invalidation_yaml("first", "/page"));
  repository.commit();
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(holder.get()->purges->check("shop", "/page", old) == cache::Purged::Soft);
  start();
  CHECK(reconciler->resume());
  repository.git("commit --quiet --amend --message 'another history'");
  CHECK(reconciler->reconcile(false) == Round::Applied);
  std::size_t runs = 0;
  for (const Json& event : events("activated")) runs += event["invalidations"].size();
  CHECK(runs == 1);
  const Json listed = Json::parse(reconciler->invalidator().to_json().dump());
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["id"] == "first");
  CHECK(listed[0]["state"] == "Swept");
}

TEST_CASE_FIXTURE(Fixture, "damage to the mirror is not taken for a broken commit") {
  put("one");
  start();
  CHECK(reconciler->reconcile(false) == Round::Applied);
  put("two");
  // The second commit is fetched, and its file damaged before anybody reads it.
  schema::EdgeSource options;
  options.urls = {repository.path()};
  const auto other = Source::open(options, folder / "state");
  REQUIRE(other.has_value());
  REQUIRE((*other)->fetch(nullptr).has_value());
  for (const auto& pack :
       std::filesystem::directory_iterator(folder / "state/repo.git/objects/pack")) {
    if (pack.path().extension() != ".pack") continue;
    std::filesystem::permissions(pack.path(), std::filesystem::perms::owner_all);
    std::string content = test::read(pack.path());
    content[content.size() - 30] =
        static_cast<char>(content[content.size() - 30] ^ 0x55);  // the blob comes last
    test::write(pack.path(), content);
  }
  CHECK(reconciler->reconcile(false) == Round::SourceFailed);
  CHECK(mark() == "one");
  CHECK(status()["refused"].is_null());
  CHECK(reconciler->reconcile(false) == Round::Applied);
  CHECK(mark() == "two");
}

TEST_CASE_FIXTURE(Fixture, "metrics name the revisions, the conditions and the rounds") {
  const std::string commit = put("one");
  start();
  reconciler->reconcile(false);
  std::map<std::string, std::map<std::string, double>> samples;
  for (const auto& family : reconciler->board().families())
    for (const auto& sample : family.samples) samples[family.name][sample.labels] = sample.value;
  CHECK(samples["headgate_revision_info"]["state=\"applied\",revision=\"" + commit + "\""] == 1);
  CHECK(samples["headgate_reconcile_condition"][R"(type="Ready",status="True")"] == 1);
  CHECK(samples["headgate_reconcile_condition"][R"(type="Ready",status="False")"] == 0);
  CHECK(samples["headgate_snapshot_generation"][""] == 1);
  CHECK(samples["headgate_source_last_success_timestamp_seconds"][""] > 1.7e9);
  CHECK(samples["headgate_reconciles_total"][R"(result="applied")"] == 1);
}

TEST_CASE_FIXTURE(
    Fixture, "the loop applies at once what it is told of, and stops in the middle of a wait") {
  put("one");
  start();
  reconciler->start();
  const auto live = [&](const std::string& wanted) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (mark() != wanted && std::chrono::steady_clock::now() < give_up) {
      reconciler->reconcile_now();
      std::this_thread::yield();
    }
    return mark() == wanted;
  };
  CHECK(live("one"));
  put("two");
  CHECK(live("two"));  // the poll interval is an hour
  reconciler->stop();
  CHECK(events("stopped").size() == 1);
}
