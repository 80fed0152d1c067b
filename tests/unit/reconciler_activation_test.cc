// SPDX-License-Identifier: MIT
// The power is cut at every point of an activation: afterwards configuration and purges have both
// happened, or neither.
#include <doctest/doctest.h>

#include "reconciler/loop/activator.h"
#include "tests/support/fault_disk.h"
#include "tests/support/memory_tree.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;
using test::FaultDisk;
using test::ScratchFolder;

namespace {

/// An appliance without source and edge: what it published is what would serve.
struct Machine {
  Machine(const std::string& state, Disk& disk, ActivatorOptions options = {}) {
    options.state = state;
    options.log = [this](const std::string& line) { said += line + "\n"; };
    auto opened = Activator::open(std::move(options), holder, disk);
    if (!opened) throw std::runtime_error(opened.error().context);
    activator = std::move(*opened);
  }

  bool resume() { return activator->resume(loader, {}); }

  Status apply(const schema::MemoryTree& tree, const std::string& commit) {
    auto staged = validate(loader, tree, &activator->history().ledger());
    if (staged) staged = compile(std::move(*staged), {}, nullptr);
    if (!staged) return fail(Blame::Config, "{}", staged.error().diagnostics.front().text());
    auto activated =
        activator->activate(*staged, tree, CommitInfo{commit, "subject", "author", ""}, false);
    if (!activated) return tl::unexpected<Error>(activated.error());
    return {};
  }

  std::string mark() const {
    const auto snapshot = holder.get();
    if (snapshot == nullptr) return "nothing";
    return snapshot->configuration->model()
        .response_headers_policies.at("mark")
        ->custom_headers.front()
        .value;
  }
  bool knows(const std::string& id) const {
    return activator->history().ledger().find(id) != nullptr;
  }
  std::uint64_t generation() const { return holder.get()->generation; }

  std::string said;
  snapshot::SnapshotHolder holder;
  schema::Loader loader;
  std::unique_ptr<Activator> activator;
};

schema::MemoryTree before() {
  return schema::MemoryTree({{"shop.yaml", test::shop_yaml("before")}});
}

/// Configuration and purge in one commit.
schema::MemoryTree after() {
  return schema::MemoryTree({{"shop.yaml", test::shop_yaml("after")},
                             {"purge.yaml", test::invalidation_yaml("first", "/page")}});
}

/// A state folder in which `before` is live.
void make_state(const std::string& path) {
  Disk disk;
  Machine machine(path, disk);
  REQUIRE(machine.apply(before(), "aaaaaaa").has_value());
}

/// `after` goes live in a process that dies at `point`. False when it came to its end.
bool crash(const std::string& state, FaultDisk::Model model, int point, std::size_t torn) {
  return test::dies([&] {
    FaultDisk disk(model, point, torn);
    Machine machine(state, disk);
    machine.resume();
    if (!machine.apply(after(), "bbbbbbb")) ::_exit(1);
  });
}

/// After a restart: both or neither; and once the commit has been applied, exactly once.
void check_state(const std::string& state) {
  Disk disk;
  Machine machine(state, disk);
  REQUIRE(machine.resume());
  const bool happened = machine.mark() == "after";
  CHECK(machine.mark() == (happened ? "after" : "before"));
  CHECK(machine.knows("first") == happened);
  const std::uint64_t generation = machine.generation();
  REQUIRE(machine.apply(after(), "bbbbbbb").has_value());
  CHECK(machine.mark() == "after");
  CHECK(machine.generation() > generation);
  std::size_t runs = 0;
  for (const auto& [sequence, line] : machine.activator->history().events())
    runs += Json::parse(line).value("invalidations", Json::array()).size();
  CHECK(runs == 1);
  CHECK(machine.activator->history().ledger().epoch() == 1);
}

void copy(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

cache::Stamp stamp_of(const Machine& machine) {
  return {machine.holder.get()->purges->epoch(), machine.generation()};
}

}  // namespace

TEST_CASE("a crash at any point of an activation leaves configuration and purges together") {
  const ScratchFolder folder;
  make_state(folder / "whole");
  for (const auto model : {FaultDisk::Model::Kill, FaultDisk::Model::PowerLoss}) {
    int point = 0;
    for (bool died = true; died; ++point) {
      INFO("model " << static_cast<int>(model) << ", point " << point);
      copy(folder / "whole", folder / "state");
      died = crash(folder / "state", model, point, 0);
      check_state(folder / "state");
    }
    CHECK(point > 6);  // snapshot: write, sync, rename, folder; journal: write, sync
  }
}

TEST_CASE("a crash while the journal is compacted loses nothing") {
  const ScratchFolder folder;
  {
    Disk disk;
    Machine machine(folder / "whole", disk);
    REQUIRE(machine.apply(before(), "aaaaaaa").has_value());
    schema::MemoryTree tree = before();
    tree.put("zero.yaml", test::invalidation_yaml("zero", "/zero"));
    REQUIRE(machine.apply(tree, "0000000").has_value());
  }
  for (const auto model : {FaultDisk::Model::Kill, FaultDisk::Model::PowerLoss}) {
    int point = 0;
    for (bool died = true; died; ++point) {
      INFO("model " << static_cast<int>(model) << ", point " << point);
      copy(folder / "whole", folder / "state");
      died = test::dies([&] {
        FaultDisk disk(model, point, 50);
        ActivatorOptions options;
        options.journal_limit_bytes = 1;
        Machine machine(folder / "state", disk, options);
        machine.resume();
        if (!machine.apply(after(), "bbbbbbb")) ::_exit(1);
      });
      Disk disk;
      Machine machine(folder / "state", disk);
      REQUIRE(machine.resume());
      REQUIRE(machine.knows("zero"));
      CHECK(machine.knows("first") == (machine.mark() == "after"));
      CHECK(machine.activator->history().activations().size() ==
            (machine.mark() == "after" ? 3 : 2));
    }
    CHECK(point > 10);  // six of the activation, four of the compaction
  }
}

TEST_CASE("a write that is torn at any octet leaves configuration and purges together") {
  const ScratchFolder folder;
  make_state(folder / "whole");
  // The journal's record is written fifth and synced sixth; the octets that matter most are its
  // first and last ones.
  for (const auto& cut :
       {std::pair(FaultDisk::Model::Kill, 4), std::pair(FaultDisk::Model::PowerLoss, 5)})
    for (std::size_t torn = 0; torn < 600; torn += torn < 32 ? 1 : 13) {
      INFO("model " << static_cast<int>(cut.first) << ", torn after " << torn);
      copy(folder / "whole", folder / "state");
      REQUIRE(crash(folder / "state", cut.first, cut.second, torn));
      check_state(folder / "state");
    }
}

TEST_CASE("a restart resumes the generation that was live, and purges nothing again") {
  const ScratchFolder folder;
  Disk disk;
  make_state(folder.path());
  {
    Machine machine(folder.path(), disk);
    REQUIRE(machine.resume());
    REQUIRE(machine.apply(after(), "bbbbbbb").has_value());
    CHECK(machine.generation() == 2);
  }
  Machine machine(folder.path(), disk);
  REQUIRE(machine.resume());
  CHECK(machine.mark() == "after");
  CHECK(machine.generation() == 2);
  CHECK(machine.holder.get()->label == "2-bbbbbbb");
  CHECK(machine.holder.get()->purges->epoch() == 1);
  CHECK(machine.holder.get()->purges->check("shop", "/page", {0, 1}) ==
        cache::Purged::No);  // nothing older is left
}

TEST_CASE("a purge concerns what was fetched before it, and nothing else") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  REQUIRE(machine.apply(before(), "aaaaaaa").has_value());
  const cache::Stamp old = stamp_of(machine);
  REQUIRE(machine.apply(after(), "bbbbbbb").has_value());
  const auto purges = machine.holder.get()->purges;
  CHECK(purges->check("shop", "/page", old) == cache::Purged::Soft);
  CHECK(purges->check("shop", "/other", old) == cache::Purged::No);
  CHECK(purges->check("shop", "/page", stamp_of(machine)) == cache::Purged::No);
  REQUIRE(machine.apply(before(), "ccccccc").has_value());  // the file goes: nothing is undone
  CHECK(machine.holder.get()->purges->check("shop", "/page", old) == cache::Purged::Soft);
  REQUIRE(machine.apply(after(), "ddddddd").has_value());  // and comes again: nothing is done
  CHECK(machine.activator->history().ledger().epoch() == 1);
}

TEST_CASE("an edge that begins with invalidations in the repository has nothing to purge") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  REQUIRE(machine.apply(after(), "bbbbbbb").has_value());
  CHECK(machine.knows("first"));
  CHECK(machine.holder.get()->purges->check("shop", "/page", {0, 1}) == cache::Purged::No);
}

TEST_CASE("a swap is told once it serves, with what became invalid with it") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  std::vector<std::string> told;
  machine.activator->on_swap([&](const Swap& swap) {
    CHECK(machine.holder.get() == swap.snapshot);
    std::string names = fmt::format("{}:", swap.snapshot->generation);
    for (const auto& invalidation : swap.invalidated) names += " " + invalidation.name;
    told.push_back(names);
  });
  REQUIRE(machine.apply(after(), "aaaaaaa").has_value());  // nothing is cached yet
  schema::MemoryTree two = after();
  two.put("second.yaml", test::invalidation_yaml("second", "/page"));
  two.put("undo.yaml",
          "apiVersion: headgate/v1\nkind: Invalidation\nmetadata: { name: undo }\nspec: { "
          "distribution: shop, undoes: nothing }\n");
  REQUIRE(machine.apply(two, "bbbbbbb").has_value());
  REQUIRE(machine.apply(two, "ccccccc").has_value());
  schema::Invalidation urgent;
  urgent.name = "urgent";
  urgent.distribution = "shop";
  urgent.select.paths = {"/"};
  REQUIRE(machine.activator->invalidate({urgent}, "api").has_value());
  REQUIRE(machine.activator->invalidate({urgent}, "api").has_value());
  CHECK(told == std::vector<std::string>{"1:", "2: second", "3:", "3: urgent"});
}

TEST_CASE("an id that comes again with other content is refused, with its place") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  REQUIRE(machine.apply(after(), "bbbbbbb").has_value());
  schema::MemoryTree other = after();
  other.put("purge.yaml", test::invalidation_yaml("first", "/elsewhere"));
  const Status refused = machine.apply(other, "ccccccc");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().context.starts_with(
      "purge.yaml:1:1: error: [HG1501] InvalidationDigestMismatch: first"));
  CHECK(refused.error().context.find("nonce") != std::string::npos);
}

TEST_CASE("a damaged snapshot is not served: the one before it is, under a new generation") {
  const ScratchFolder folder;
  Disk disk;
  make_state(folder.path());
  std::string newest;
  {
    Machine machine(folder.path(), disk);
    machine.resume();
    REQUIRE(machine.apply(after(), "bbbbbbb").has_value());
    newest = folder / "snapshots/" + machine.activator->history().activations().back().digest;
  }
  const std::string whole = test::read(newest);
  SUBCASE("cut") { test::write(newest, whole.substr(0, whole.size() / 2)); }
  SUBCASE("altered") {
    test::write(newest, std::string(whole).replace(whole.find("after"), 5, "aftXr"));
  }
  SUBCASE("gone") { std::filesystem::remove(newest); }
  Machine machine(folder.path(), disk);
  REQUIRE(machine.resume());
  CHECK(machine.mark() == "before");
  CHECK(machine.generation() == 3);
  CHECK(machine.holder.get()->commit == "aaaaaaa");
  CHECK(machine.knows("first"));  // what was purged stays known
  CHECK(machine.said.find("generation 2 cannot be resumed") != std::string::npos);
}

TEST_CASE("when no snapshot is whole, nothing is served from disk") {
  const ScratchFolder folder;
  Disk disk;
  make_state(folder.path());
  for (const auto& file : std::filesystem::directory_iterator(folder / "snapshots"))
    test::write(file.path(), "");
  Machine machine(folder.path(), disk);
  CHECK_FALSE(machine.resume());
  CHECK(machine.mark() == "nothing");
  REQUIRE(machine.apply(before(), "aaaaaaa").has_value());
  CHECK(machine.generation() == 2);  // generations never go back
}

TEST_CASE("a disk that fails leaves what is live, and the next try succeeds") {
  class FailingDisk final : public Disk {
   public:
    bool broken = false;
    Status sync(int fd) override {
      if (broken) return fail(Blame::Self, "fsync: Input/output error");
      return Disk::sync(fd);
    }
  };
  const ScratchFolder folder;
  FailingDisk disk;
  Machine machine(folder.path(), disk);
  REQUIRE(machine.apply(before(), "aaaaaaa").has_value());
  disk.broken = true;
  const Status failed = machine.apply(after(), "bbbbbbb");
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().blame == Blame::Self);
  CHECK(machine.mark() == "before");
  CHECK_FALSE(machine.knows("first"));
  disk.broken = false;
  REQUIRE(machine.apply(after(), "bbbbbbb").has_value());
  CHECK(machine.mark() == "after");
  CHECK(machine.generation() == 2);
}

TEST_CASE("the journal is compacted, and adds up to the same") {
  const ScratchFolder folder;
  Disk disk;
  ActivatorOptions options;
  options.journal_limit_bytes = 4000;
  std::uint64_t largest = 0;
  {
    Machine machine(folder.path(), disk, options);
    schema::MemoryTree tree = before();
    for (int i = 0; i < 1200; ++i) {
      if (i % 300 == 0)
        tree.put("purge" + std::to_string(i) + ".yaml",
                 test::invalidation_yaml("purge-" + std::to_string(i), "/page"));
      REQUIRE(machine.apply(tree, "aaaaaaa").has_value());
      largest = std::max<std::uint64_t>(largest, std::filesystem::file_size(folder / "journal"));
    }
  }
  CHECK(largest < 1'000'000);  // 500 events and 50 activations, however many there were
  Machine machine(folder.path(), disk, options);
  REQUIRE(machine.resume());
  CHECK(machine.generation() == 1200);
  CHECK(machine.activator->history().ledger().epoch() == 3);
  CHECK(machine.activator->history().ledger().entries().size() == 4);
  CHECK(machine.activator->history().activations().size() == History::kMaxActivations);
  CHECK(machine.activator->history().events().size() == History::kMaxEvents);
}

TEST_CASE("invalidations go on after a restart where what was cached survives it") {
  for (const std::uint64_t journal_limit : {std::uint64_t{1}, std::uint64_t{4} << 20}) {
    const ScratchFolder state;
    Disk disk;
    ActivatorOptions survives;
    survives.cache_survives = true;
    survives.journal_limit_bytes = journal_limit;
    const auto rules = [&](const ActivatorOptions& options) {
      Machine machine(state.path(), disk, options);
      REQUIRE(machine.resume());
      return machine.holder.get()->purges->rules();
    };
    schema::Invalidation of_first;
    of_first.name = "of-first";
    of_first.distribution = "shop";
    of_first.select.fetched_under = "aaaaaaa";
    {
      Machine machine(state.path(), disk, survives);
      REQUIRE(machine.apply(before(), "aaaaaaa").has_value());
      REQUIRE(machine.apply(after(), "bbbbbbb").has_value());
    }
    REQUIRE(rules(survives).size() == 1);
    CHECK(rules(survives)[0]->id == "first");
    CHECK(rules(survives)[0]->epoch == 1);
    {
      // Generations of runs before this one are known by their commits.
      Machine machine(state.path(), disk, survives);
      REQUIRE(machine.resume());
      REQUIRE(machine.activator->invalidate({of_first}, "api", {}).has_value());
    }
    REQUIRE(rules(survives).size() == 2);
    REQUIRE(rules(survives)[1]->select.generations);
    CHECK(rules(survives)[1]->select.generations->contains(1));
    CHECK_FALSE(rules(survives)[1]->select.generations->contains(2));
    {
      Machine machine(state.path(), disk, survives);
      REQUIRE(machine.resume());
      machine.activator->retire({.rules = {"first"}, .epoch = 1});
    }
    REQUIRE(rules(survives).size() == 1);
    CHECK(rules(survives)[0]->id == "of-first");
    CHECK(rules({}).empty());  // nothing is cached
  }
}

/// Ids, epochs and verdicts, in the order of the ids.
std::vector<std::string> shown(const cache::PurgeTable& table) {
  std::vector<std::string> lines;
  for (const auto& rule : table.rules())
    lines.push_back(fmt::format("{} {} {}", rule->id, rule->epoch, int(rule->verdict())));
  std::sort(lines.begin(), lines.end());
  lines.push_back(fmt::format("until {}", table.epoch()));
  return lines;
}

TEST_CASE("purges that came one by one are in force as if they had come at once") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  REQUIRE(machine.apply(before(), "aaaaaaa").has_value());
  const auto purge = [&](const std::string& name, const std::vector<std::string>& paths,
                         const std::string& undoes = "") {
    schema::Invalidation one;
    one.name = name;
    one.distribution = "shop";
    one.select.paths = paths;
    one.mode = schema::Invalidation::Mode::Delete;
    if (name == "d") one.retain_for = std::chrono::hours(1);
    one.undoes = undoes;
    REQUIRE(machine.activator->invalidate({one}, "api", {}).has_value());
    const Ledger& ledger = machine.activator->history().ledger();
    CHECK(shown(*machine.holder.get()->purges) ==
          shown(ledger.purge_table(machine.activator->now())));
  };
  purge("c", {"/c"});
  purge("b", {"/b/*.jpg", "/b/*.png"});
  purge("d", {"/d/*/e"});
  purge("a", {"/*"});
  const Ledger& ledger = machine.activator->history().ledger();
  CHECK(machine.holder.get()->purges->rules().size() == 4);
  CHECK(ledger.active_patterns() == 3);
  purge("undo", {}, "d");
  CHECK(machine.holder.get()->purges->rules().size() == 3);
  CHECK(ledger.active_patterns() == 2);
  machine.activator->retire({.rules = {"b"}, .epoch = 2});
  CHECK(ledger.active_patterns() == 0);
  purge("e", {"/e"});
  CHECK(machine.holder.get()->purges->rules().size() == 3);
}

TEST_CASE("the last five configurations are kept, not the last five commits") {
  const ScratchFolder folder;
  Disk disk;
  Machine machine(folder.path(), disk);
  for (int i = 0; i < 8; ++i) {
    const schema::MemoryTree tree({{"shop.yaml", test::shop_yaml(std::to_string(i))}});
    for (const char* commit : {"aaaaaaa", "bbbbbbb", "ccccccc"})
      REQUIRE(machine.apply(tree, commit).has_value());
  }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file :
       std::filesystem::directory_iterator(folder / "snapshots"))
    ++files;
  CHECK(files == 5);
}

TEST_CASE("two appliances do not share a state folder, and the second is told why") {
  const ScratchFolder folder;
  Disk disk;
  const Machine first(folder.path(), disk);
  CHECK(test::dies([&] {
    snapshot::SnapshotHolder holder;
    ActivatorOptions options;
    options.state = folder.path();
    const auto second = Activator::open(options, holder, disk);
    const bool told = !second && second.error().context.find("another headgate uses this folder") !=
                                     std::string::npos;
    ::_exit(told ? FaultDisk::kDied : 1);
  }));
}
