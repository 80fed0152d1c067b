// SPDX-License-Identifier: MIT
// Purges without a commit: durable when answered, once by their id, due at their time, undone,
// swept; with a clock that stands still unless told.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "reconciler/loop/invalidator.h"
#include "tests/support/cache_fixture.h"
#include "tests/support/fault_disk.h"
#include "tests/support/memory_tree.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;
using test::FaultDisk;
using test::OwnedKey;
using test::ScratchFolder;
using Outcome = admin::PurgeReply::Outcome;

namespace {

constexpr std::uint64_t kBudget = std::uint64_t{16} << 20;

Timestamp at(const std::string& time) { return *parse_timestamp("2026-11-20T" + time + "Z"); }

std::string document(const std::string& kind, const std::string& name, const std::string& spec) {
  return "apiVersion: headgate/v1\nkind: " + kind + "\nmetadata: { name: " + name +
         " }\nspec:\n  distribution: shop\n" + spec;
}

schema::MemoryTree site(std::map<std::string, std::string> more = {}) {
  more.emplace("shop.yaml", test::shop_yaml("mark"));
  return schema::MemoryTree(std::move(more));
}

schema::Invalidation of_path(const std::string& id, const std::string& path) {
  schema::Invalidation invalidation;
  invalidation.name = id;
  invalidation.distribution = "shop";
  invalidation.select.paths = {path};
  return invalidation;
}

/// An edge without listeners: what a look-up under the published snapshot finds.
struct Machine {
  explicit Machine(const std::string& state, Disk& disk) {
    ActivatorOptions options;
    options.state = state;
    options.now = [this] { return now; };
    auto opened = Activator::open(std::move(options), holder, disk);
    if (!opened) throw std::runtime_error(opened.error().context);
    activator = std::move(*opened);
    invalidator.emplace(mutex, *activator,
                        [this](const std::string& line) { said += line + "\n"; });
    invalidator->set_sweep(
        [this](const cache::PurgeTable& purges) { return cache::sweep(store, fills, purges); });
    invalidator->set_count(
        [this](const cache::PurgeTable& purges) { return cache::count_selected(store, purges); });
  }

  void apply(const schema::MemoryTree& tree, const std::string& commit = "aaaaaaa") {
    auto staged = validate(loader, tree, &activator->history().ledger());
    REQUIRE_MESSAGE(staged.has_value(), staged.error().diagnostics.front().text());
    staged = compile(std::move(*staged), {}, nullptr);
    REQUIRE(staged.has_value());
    const auto done = activator->activate(*staged, tree, {commit, "", "", ""}, false);
    REQUIRE_MESSAGE(done.has_value(), done.error().context);
  }

  cache::Stamp stamp() const { return {holder.get()->purges->epoch(), holder.get()->generation}; }
  void put(const std::string& path, cache::Stamp stamp, http::Fields fields = {}) {
    const OwnedKey key("shop", path);
    store.insert(key.key(), {}, test::make_response(key.key(), fields, "body", stamp));
  }
  void put(const std::string& path) { put(path, stamp()); }
  /// "hit", "stale", "miss".
  std::string get(const std::string& path) {
    const auto found = store.find(OwnedKey("shop", path).key(), {}, *holder.get()->purges);
    if (!found.response) return "miss";
    return found.purged == cache::Purged::No ? "hit" : "stale";
  }
  Outcome purge(const schema::Invalidation& invalidation) {
    last = invalidator->purge(invalidation);
    return last.outcome;
  }
  cache::Selected estimate(const schema::Invalidation& invalidation) const {
    const schema::Invalidation other = of_path("another", "/b");
    const auto both = invalidator->estimate({&other, &invalidation});
    CHECK(both[0].responses == 1);
    return both[1];
  }
  std::string state(const std::string& id) const {
    for (const Json& entry : invalidator->to_json())
      if (entry.at("id") == id) return entry.at("state").get<std::string>();
    return "unknown";
  }

  Timestamp now = at("10:00:00");
  std::string said;
  snapshot::SnapshotHolder holder;
  schema::Loader loader;
  base::Mutex mutex;
  cache::Store store{kBudget, 1};
  cache::FillTable fills;
  std::unique_ptr<Activator> activator;
  std::optional<Invalidator> invalidator;
  admin::PurgeReply last;
};

}  // namespace

TEST_CASE("an estimate says what a purge would touch, and touches nothing") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  machine.apply(site(), "bbbbbbb");
  for (const char* path : {"/a", "/a/1", "/a/2", "/b"}) machine.put(path);
  CHECK(machine.estimate(of_path("one", "/a")).responses == 1);
  const cache::Selected selected = machine.estimate(of_path("two", "/a*"));
  CHECK(selected.responses == 3);
  CHECK(selected.bytes > 3 * 4);
  CHECK(machine.estimate(of_path("three", "/none")).responses == 0);
  schema::Invalidation elsewhere = of_path("four", "/*");
  elsewhere.distribution = "blog";
  CHECK(machine.estimate(elsewhere).responses == 0);
  schema::Invalidation fetched = of_path("five", "/*");
  fetched.select.paths.clear();
  fetched.select.fetched_under = "bbb";
  CHECK(machine.estimate(fetched).responses == 4);
  fetched.select.fetched_under = "ccc";
  CHECK(machine.estimate(fetched).responses == 0);

  for (const char* path : {"/a", "/a/1", "/a/2", "/b"}) CHECK(machine.get(path) == "hit");
  CHECK(machine.state("two") == "unknown");
  CHECK(machine.purge(of_path("two", "/a*")) == Outcome::Created);
  CHECK(machine.estimate(of_path("two", "/a*")).responses == 0);  // it has run
}

TEST_CASE("an urgent purge is in force when it is answered, and happens once") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  CHECK(machine.purge(of_path("early", "/a")) == Outcome::Unavailable);
  machine.apply(site());
  machine.put("/a");
  machine.put("/b");
  CHECK(machine.purge(of_path("one", "/a")) == Outcome::Created);
  CHECK(machine.get("/a") == "stale");
  CHECK(machine.get("/b") == "hit");
  CHECK(machine.state("one") == "Active");
  machine.put("/a");
  CHECK(machine.purge(of_path("one", "/a")) == Outcome::Known);
  CHECK(machine.get("/a") == "hit");
  CHECK(machine.purge(of_path("one", "/b")) == Outcome::Mismatch);
  CHECK(machine.last.problem.find("InvalidationDigestMismatch") != std::string::npos);
  CHECK(machine.get("/b") == "hit");
  schema::Invalidation elsewhere = of_path("two", "/a");
  elsewhere.distribution = "blog";
  CHECK(machine.purge(elsewhere) == Outcome::NoDistribution);
  schema::Invalidation later = of_path("three", "/a");
  later.not_before = at("11:00:00");
  CHECK(machine.purge(later) == Outcome::Refused);
  CHECK(machine.activator->history().ledger().entries().size() == 1);
}

TEST_CASE("what an urgent purge warms must be of the distribution, and is told with the swap") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  machine.apply(site());
  std::vector<std::string> warmed;
  machine.activator->on_swap([&](const Swap& swap) {
    for (const auto& invalidation : swap.invalidated)
      if (invalidation.warm) warmed = invalidation.warm->paths;
  });
  schema::Invalidation purge = of_path("one", "/a");
  purge.warm.emplace().paths = {"/a"};
  purge.warm->host = "elsewhere.test";
  CHECK(machine.purge(purge) == Outcome::Refused);
  CHECK(machine.last.problem == "the distribution \"shop\" does not serve \"elsewhere.test\"");
  CHECK(machine.state("one") == "unknown");
  purge.warm->host = "shop.test";
  CHECK(machine.purge(purge) == Outcome::Created);
  CHECK(warmed == std::vector<std::string>{"/a"});
  purge.warm->paths = {"/b"};  // another thing under the same id
  CHECK(machine.purge(purge) == Outcome::Mismatch);
}

TEST_CASE("the same id by the urgent path and by git is one invalidation") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  machine.apply(site());
  CHECK(machine.purge(of_path("first", "/page")) == Outcome::Created);
  machine.put("/page");
  machine.apply(site({{"purge.yaml", test::invalidation_yaml("first", "/page")}}), "bbbbbbb");
  CHECK(machine.get("/page") == "hit");
  machine.apply(site({{"purge.yaml", test::invalidation_yaml("second", "/page")}}), "ccccccc");
  CHECK(machine.get("/page") == "stale");
  machine.put("/page");
  CHECK(machine.purge(of_path("second", "/page")) == Outcome::Known);
  CHECK(machine.get("/page") == "hit");
  CHECK(machine.purge(of_path("second", "/other")) == Outcome::Mismatch);
}

TEST_CASE("a crash at any point of an urgent purge: it happened, or it was not answered") {
  const ScratchFolder folder;
  {
    Disk disk;
    Machine machine(folder / "whole", disk);
    machine.apply(site());
  }
  for (const auto model : {FaultDisk::Model::Kill, FaultDisk::Model::PowerLoss}) {
    int point = 0;
    for (bool died = true; died; ++point) {
      INFO("model " << static_cast<int>(model) << ", point " << point);
      const std::string state = folder / "state";
      const std::string answered = folder / "answered";
      std::filesystem::remove_all(state);
      std::filesystem::remove(answered);
      std::filesystem::copy(folder / "whole", state, std::filesystem::copy_options::recursive);
      died = test::dies([&] {
        FaultDisk disk(model, point, 0);
        Machine machine(state, disk);
        machine.activator->resume(machine.loader, {});
        if (machine.purge(of_path("one", "/a")) == Outcome::Created)
          std::ofstream(answered) << "yes";
      });
      Disk disk;
      Machine machine(state, disk);
      REQUIRE(machine.activator->resume(machine.loader, {}));
      const bool known = machine.activator->history().ledger().find("one") != nullptr;
      if (std::filesystem::exists(answered)) CHECK(known);
      CHECK(machine.purge(of_path("one", "/a")) == (known ? Outcome::Known : Outcome::Created));
    }
    CHECK(point > 2);  // write, sync
  }
}

TEST_CASE("a purge whose record cannot be written has not happened") {
  struct FullDisk final : Disk {
    bool full = false;
    Status write(int fd, std::string_view bytes) override {
      if (full) return fail(Blame::Self, "no space left");
      return Disk::write(fd, bytes);
    }
  };
  const ScratchFolder folder;
  FullDisk disk;
  Machine machine(folder.path(), disk);
  machine.apply(site());
  machine.put("/a");
  disk.full = true;
  CHECK(machine.purge(of_path("one", "/a")) == Outcome::Unavailable);
  CHECK(machine.last.problem.find("no space left") != std::string::npos);
  CHECK(machine.get("/a") == "hit");
  CHECK(machine.state("one") == "unknown");
  disk.full = false;
  CHECK(machine.purge(of_path("one", "/a")) == Outcome::Created);
  CHECK(machine.get("/a") == "stale");
}

TEST_CASE("a purge is undone within its time, for what was not fetched since") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  machine.apply(site());
  for (const auto mode :
       {schema::Invalidation::Mode::Delete, schema::Invalidation::Mode::Revalidate}) {
    const std::string id = mode == schema::Invalidation::Mode::Delete ? "hard" : "soft";
    machine.now = base::wall_now();  // the journal's clock is the machine's
    machine.put("/a");
    machine.put("/b");
    schema::Invalidation purge = of_path(id, "/*");
    purge.mode = mode;
    purge.retain_for = std::chrono::hours(1);
    REQUIRE(machine.purge(purge) == Outcome::Created);
    CHECK(machine.get("/a") != "hit");
    machine.put("/b");
    machine.invalidator->sweep();
    CHECK(machine.state(id) == "Active");  // "/a" is kept
    schema::Invalidation undo = of_path("undo-" + id, "/x");
    undo.select = {};
    undo.undoes = id;
    machine.now += std::chrono::minutes(59);
    CHECK(machine.purge(undo) == Outcome::Created);
    CHECK(machine.get("/a") == "hit");
    CHECK(machine.get("/b") == "hit");
    CHECK(machine.state(id) == "Swept");
    CHECK(machine.purge(undo) == Outcome::Known);
  }
}

TEST_CASE("an undo that comes too late is refused, and what was kept goes") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  machine.now = base::wall_now();
  machine.apply(site());
  machine.put("/a");
  schema::Invalidation purge = of_path("oops", "/a");
  purge.mode = schema::Invalidation::Mode::Delete;
  purge.retain_for = std::chrono::minutes(5);
  machine.purge(purge);
  machine.invalidator->tick();
  machine.now += std::chrono::minutes(6);
  schema::Invalidation undo = of_path("undo", "/x");
  undo.select = {};
  undo.undoes = "oops";
  CHECK(machine.purge(undo) == Outcome::Refused);
  CHECK(machine.last.problem.find("retainFor 5m") != std::string::npos);
  machine.invalidator->tick();
  machine.invalidator->sweep();
  CHECK(machine.state("oops") == "Swept");
  CHECK(machine.store.stats().objects == 0);
  undo.undoes = "nothing";
  CHECK(machine.purge(undo) == Outcome::Refused);
}

TEST_CASE("one for later is pending, runs at its time, and is cancelled with its file") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  const std::string spec = "  select: { paths: [/a] }\n  notBefore: 2026-11-20T11:00:00Z\n";
  machine.apply(site({{"later.yaml", document("Invalidation", "later", spec)}}));
  machine.put("/a");
  machine.now = at("10:59:59");
  machine.invalidator->tick();
  CHECK(machine.state("later") == "Pending");
  CHECK(machine.get("/a") == "hit");
  SUBCASE("its time comes") {
    machine.now = at("11:00:00");
    machine.invalidator->tick();
    CHECK(machine.state("later") == "Active");
    CHECK(machine.get("/a") == "stale");
    machine.put("/a");
    machine.invalidator->tick();
    CHECK(machine.get("/a") == "hit");
  }
  SUBCASE("its file goes") {
    machine.apply(site(), "bbbbbbb");
    machine.now = at("12:00:00");
    machine.invalidator->tick();
    CHECK(machine.state("later") == "unknown");
    CHECK(machine.get("/a") == "hit");
  }
}

TEST_CASE("a schedule runs at each tick; ticks that were missed become the last of them") {
  const ScratchFolder folder;
  Disk disk;
  const auto tree = site({{"schedule.yaml", document("InvalidationSchedule", "half",
                                                     "  cron: \"30 * * * *\"\n"
                                                     "  select: { tags: [prices] }\n")}});
  const test::OwnedFields tagged = {{"cache-tag", "prices"}};
  {
    Machine machine(folder.path(), disk);
    machine.now = at("10:45:10");
    machine.apply(tree);
    machine.invalidator->tick();
    CHECK(machine.state("half@2026-11-20T10:30Z") == "unknown");  // before its time
    CHECK(machine.state("half@2026-11-20T11:30Z") == "Pending");
    machine.put("/a", machine.stamp(), tagged);
    machine.put("/b");
    machine.now = at("11:30:00");
    machine.invalidator->tick();
    CHECK(machine.state("half@2026-11-20T11:30Z") == "Active");
    CHECK(machine.get("/a") == "stale");
    CHECK(machine.get("/b") == "hit");
    machine.invalidator->tick();
    CHECK(machine.activator->history().ledger().entries().size() == 1);
  }
  Machine machine(folder.path(), disk);
  machine.now = at("15:05:00");
  REQUIRE(machine.activator->resume(machine.loader, {}));
  machine.invalidator->tick();
  CHECK(machine.state("half@2026-11-20T14:30Z") == "Active");
  CHECK(machine.activator->history().ledger().entries().size() == 2);
  machine.apply(site(), "bbbbbbb");
  machine.now = at("18:05:00");
  machine.apply(tree, "ccccccc");  // it comes again: it counts from now
  machine.invalidator->tick();
  CHECK(machine.activator->history().ledger().entries().size() == 2);
}

TEST_CASE("what a commit has fetched can be purged by that commit") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  machine.apply(site(), "aaaaaaa1");
  machine.put("/a");
  machine.apply(site(), "bbbbbbb2");
  machine.put("/b");
  schema::Invalidation by_commit = of_path("by-commit", "/*");
  by_commit.select.fetched_under = "bbbbbbb";
  machine.purge(by_commit);
  CHECK(machine.get("/a") == "hit");
  CHECK(machine.get("/b") == "stale");
  by_commit.name = "never-live";
  by_commit.select.fetched_under = "ccccccc";
  machine.purge(by_commit);
  CHECK(machine.get("/a") == "hit");
}

TEST_CASE("globs and conditions are limited, and room comes with the sweep") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  machine.apply(site());
  schema::Invalidation globs = of_path("globs", "/a*b");
  globs.select.paths.assign(cache::PurgeTable::kMaxPatterns, "/a*b");
  CHECK(machine.purge(globs) == Outcome::Created);
  CHECK(machine.purge(of_path("more", "/c*d")) == Outcome::TooMany);
  CHECK(machine.purge(of_path("prefix", "/c*")) == Outcome::Created);
  machine.invalidator->sweep();
  CHECK(machine.state("globs") == "Swept");
  CHECK(machine.purge(of_path("more", "/c*d")) == Outcome::Created);
}

TEST_CASE(
    "what a purge has come to is known after a restart, and after the journal was compacted") {
  const ScratchFolder folder;
  Disk disk;
  {
    Machine machine(folder.path(), disk);
    machine.apply(site());
    for (int i = 0; i < 10; ++i) machine.put("/" + std::to_string(i));
    schema::Invalidation purge = of_path("all", "/*");
    purge.mode = schema::Invalidation::Mode::Delete;
    machine.purge(purge);
    machine.invalidator->sweep();
    CHECK(machine.state("all") == "Swept");
  }
  for (int start = 0; start < 2; ++start) {
    Machine machine(folder.path(), disk);
    const LedgerEntry* entry = machine.activator->history().ledger().find("all");
    REQUIRE(entry != nullptr);
    CHECK(entry->count->matched == 10);
    CHECK(entry->count->freed_bytes > 0);
    CHECK(entry->source == "api");
    History again;
    for (const Json& record : machine.activator->history().compacted()) again.apply(record);
    CHECK(again.ledger().find("all")->count->matched == 10);
  }
}

TEST_CASE("a ledger that is larger than a record is compacted into several") {
  History history;
  Json record{{"sequence", 1U},
              {"time", "2026-11-20T10:00:00Z"},
              {"type", "invalidated"},
              {"epoch", 1U},
              {"invalidations", Json::array()}};
  for (int i = 0; i < 2500; ++i)
    record["invalidations"].push_back(
        Json{{"id", "i" + std::to_string(i)}, {"digest", "d"}, {"distribution", "shop"}});
  record["invalidations"][0]["paths"] = std::vector<std::string>(300, "/path");
  history.apply(record);
  CHECK(Json::parse(history.events().back().second)["invalidations"][0]["paths"].size() == 101);
  const std::vector<Json> compacted = history.compacted();
  CHECK(compacted.size() == 5);  // the checkpoint, three parts, one event
  History again;
  for (const Json& each : compacted) again.apply(each);
  CHECK(again.ledger().entries().size() == 2500);
  CHECK(again.ledger().find("i0")->select.paths.size() == 300);
  CHECK(again.events().size() == 1);
  CHECK(again.ledger().epoch() == 1);
}
