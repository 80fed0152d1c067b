// SPDX-License-Identifier: MIT
// The process dies, or the disk is full, at every operation on the state of a whole life: a start,
// a commit with a purge, a guard window, a rollback, a commit that goes live by steps. Afterwards
// the edge is somewhere on that way, never behind what it had shown, and finds to its end.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "reconciler/state/audit.h"
#include "tests/support/fault_disk.h"
#include "tests/support/guarded_edge.h"

using namespace headgate;
using namespace headgate::reconciler;
using test::FaultDisk;
namespace fs = std::filesystem;

namespace {

constexpr const char* kSteps = "{ steps: [10%, 50%], hold: 1m }";

/// Fails `count` operations from `first` on, as a disk without room; of a write a part is there.
class FullDisk final : public Disk {
 public:
  FullDisk(int first, int count) : first_(first), last_(first + count) {}
  Status write(int fd, std::string_view bytes) override {
    if (!is_full()) return Disk::write(fd, bytes);
    (void)Disk::write(fd, bytes.substr(0, bytes.size() / 2));
    return no_room();
  }
  Status sync(int fd) override { return is_full() ? no_room() : Disk::sync(fd); }
  Status rename(const std::string& from, const std::string& to) override {
    return is_full() ? no_room() : Disk::rename(from, to);
  }
  Status sync_folder(const std::string& path) override {
    return is_full() ? no_room() : Disk::sync_folder(path);
  }
  /// So far.
  int operations() const { return next_; }

 private:
  bool is_full() {
    const int now = next_++;
    return now >= first_ && now < last_;
  }
  static Status no_room() { return fail(Blame::Self, "write: No space left on device"); }
  int first_;
  int last_;
  int next_ = 0;
};

struct Life {
  test::ScratchFolder folder;
  test::ScratchRepository repository{folder / "site"};
  std::string one, two, three;

  Life() {
    one = put("one");
    repository.write("purge.yaml", test::invalidation_yaml("first", "/page"));
    two = put("two");
    three = put("three");
    follow(one);
    Edge edge(*this, folder / "whole");
    edge.round();
    REQUIRE(edge.mark() == "one");
  }

  std::string put(const std::string& mark) {
    std::string yaml = test::shop_yaml(mark);
    yaml.insert(yaml.find("  origins:"),
                mark == "one" ? "" : std::string("  rollout: ") + kSteps + "\n");
    repository.write("shop.yaml", yaml);
    return repository.commit("mark " + mark);
  }
  void follow(const std::string& commit) const {
    repository.git("update-ref refs/heads/main " + commit);
  }
  void begin() const {
    follow(one);
    fs::remove_all(folder / "state");
    fs::copy(folder / "whole", folder / "state", fs::copy_options::recursive);
    std::ofstream(folder / "shown", std::ios::trunc);
  }

  /// A reconciler on this repository, on a clock of its own.
  struct Edge {
    Edge(const Life& life_, const std::string& state, Disk& disk) : life(life_) {
      ReconcilerOptions options;
      options.source.urls = {life.repository.path()};
      options.activator.state = state;
      options.count = [](std::uint8_t) { return std::vector<observe::SlotTally>(); };
      options.mono_now = [this] { return now; };
      auto opened = Reconciler::open(std::move(options), holder, disk);
      if (!opened) return;
      reconciler = std::move(*opened);
      reconciler->resume();
    }
    Edge(const Life& life_, const std::string& state) : Edge(life_, state, plain) {
      REQUIRE(reconciler != nullptr);
    }

    Round round() { return reconciler->reconcile(true); }
    void pass(Duration time) {
      now += time;
      reconciler->guard(now);
    }
    std::string mark() const {
      return holder.get()
          ->configuration->model()
          .response_headers_policies.at("mark")
          ->custom_headers.front()
          .value;
    }
    std::uint64_t live() const { return holder.get()->generation; }
    /// The highest that viewers have been served by, the staged one among them.
    std::uint64_t shown() const {
      const auto both = holder.published();
      return std::max(both.live->generation, both.other ? both.other->generation : 0);
    }

    const Life& life;
    Disk plain;
    snapshot::SnapshotHolder holder;
    base::MonoTime now{std::chrono::hours(1)};
    std::unique_ptr<Reconciler> reconciler;
  };

  /// All of it; after each step `done` is called.
  template <class Done>
  void live_through(Edge& edge, Done done) const {
    done();
    follow(two);
    edge.round();  // with a purge
    done();
    edge.pass(std::chrono::seconds(1));
    done();
    (void)edge.reconciler->roll_back(0, "the drill");
    done();
    (void)edge.reconciler->resume_following();
    edge.round();
    done();
    follow(three);
    edge.round();  // staged, as two says so
    done();
    edge.pass(std::chrono::minutes(1));  // widened
    done();
    edge.pass(std::chrono::minutes(1));  // promoted
    done();
    edge.pass(std::chrono::minutes(5));  // confirmed
    done();
  }

  /// What holds after whatever has happened, and that the way goes on from here.
  void check() const {
    std::uint64_t shown = 0;
    std::ifstream lines(folder / "shown");
    for (std::uint64_t each = 0; lines >> each;) shown = std::max(shown, each);
    Edge edge(*this, folder / "state");
    REQUIRE(edge.holder.get() != nullptr);
    CHECK(edge.shown() >= shown);
    CHECK(std::set<std::string>{"one", "two", "three"}.count(edge.mark()) == 1);

    follow(three);
    (void)edge.reconciler->resume_following();  // what was held is not any more
    edge.round();
    for (int i = 0; i < 4; ++i) edge.pass(std::chrono::minutes(5));
    CHECK(edge.mark() == "three");
    CHECK(edge.round() == Round::Unchanged);
    check_events(edge);
    edge.reconciler.reset();
    std::ifstream trail(folder / "state/audit.jsonl");
    const AuditReport audit = verify_audit(trail, std::nullopt);
    CHECK(audit.broken_line == 0);
    CHECK_MESSAGE(audit.problem.empty(), audit.problem);
  }

  static void check_events(const Edge& edge) {
    std::multiset<std::string> purged;
    std::uint64_t generation = 0, sequence = 0, epoch = 0;
    for (const auto& [number, line] : edge.reconciler->board().events(0, 1000)) {
      const Json event = Json::parse(line);
      CHECK(number > sequence);
      sequence = number;
      if (event.at("type") != "activated") continue;
      CHECK(event.at("generation").get<std::uint64_t>() > generation);
      generation = event.at("generation").get<std::uint64_t>();
      CHECK(event.at("epoch").get<std::uint64_t>() >= epoch);
      epoch = event.at("epoch").get<std::uint64_t>();
      for (const Json& each : event.at("invalidations")) purged.insert(each.at("id"));
    }
    CHECK(edge.live() == generation);
    CHECK(purged.count("first") == 1);
    for (const std::string& id : purged) CHECK(purged.count(id) == 1);
  }
};

}  // namespace

TEST_CASE("a death at any operation leaves an edge that goes on from what it had shown") {
  const Life life;
  for (const auto model : {FaultDisk::Model::Kill, FaultDisk::Model::PowerLoss}) {
    int point = 0;
    for (bool died = true; died; ++point) {
      INFO("model " << static_cast<int>(model) << ", point " << point);
      life.begin();
      died = test::dies([&] {
        FaultDisk disk(model, point, 13);
        Life::Edge edge(life, life.folder / "state", disk);
        std::ofstream shown(life.folder / "shown", std::ios::app);
        life.live_through(edge, [&] { shown << edge.shown() << std::endl; });
        edge.reconciler.reset();
      });
      life.check();
    }
    CHECK(point > 40);
  }
}

TEST_CASE("a disk that is full at any operation stops nothing, and leaves no half") {
  const Life life;
  life.begin();
  FullDisk roomy(0, 0);
  {
    Life::Edge edge(life, life.folder / "state", roomy);
    life.live_through(edge, [] {});
    REQUIRE(edge.mark() == "three");
    REQUIRE(edge.shown() == edge.live());  // for all
  }
  const int operations = roomy.operations();
  CHECK(operations > 40);
  for (const int length : {1, 5, 100000}) {
    for (int point = 0; point < operations; point += length == 1 ? 1 : 3) {
      INFO("full for " << length << " operations from " << point << " on");
      life.begin();
      FullDisk disk(point, length);
      {
        Life::Edge edge(life, life.folder / "state", disk);
        // A start may fail; then it says so, and the next one is like the first.
        if (edge.reconciler != nullptr && edge.holder.get() != nullptr) {
          std::ofstream shown(life.folder / "shown", std::ios::app);
          std::uint64_t highest = 0;
          life.live_through(edge, [&] {
            REQUIRE(edge.holder.get() != nullptr);  // it serves, whatever happens
            CHECK(edge.shown() >= highest);
            highest = edge.shown();
            shown << highest << std::endl;
          });
        }
      }
      life.check();
    }
  }
}
