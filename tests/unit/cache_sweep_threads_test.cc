// SPDX-License-Identifier: MIT
// Look-ups, fetches, purges, evictions and sweeps on threads of their own. What is asserted holds
// in every order of events; ThreadSanitizer watches the rest.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/cache/policy/flat_table.h"
#include "appliance/cache/purge/sweep.h"
#include "tests/support/cache_fixture.h"

using namespace headgate;
using namespace headgate::cache;
using test::OwnedKey;

namespace {

/// What a Snapshot holds, and what a test must know of it.
struct Published {
  PurgeTable table;
  std::uint64_t last_purge = 0;  ///< epoch of the newest purge of everything
};

/// As the Activator does it: rules come and go under a mutex, tables are published whole.
class Publisher {
 public:
  std::shared_ptr<const Published> get() const {
    const base::MutexLock lock(mutex_);
    return published_;
  }
  void purge(PurgeMode mode) {
    const base::MutexLock lock(mutex_);
    PurgeRule rule;
    rule.id = std::to_string(++epoch_);
    rule.distribution = "shop";
    rule.select.paths = {"/*"};
    rule.mode = mode;
    rule.epoch = epoch_;
    rules_.push_back(std::move(rule));
    publish();
  }
  void retire(const Swept& swept) {
    const base::MutexLock lock(mutex_);
    swept_epoch_ = std::max(swept_epoch_, swept.epoch);
    std::erase_if(rules_, [&](const PurgeRule& rule) {
      return std::find(swept.rules.begin(), swept.rules.end(), rule.id) != swept.rules.end();
    });
    publish();
  }
  std::size_t rules() const {
    const base::MutexLock lock(mutex_);
    return rules_.size();
  }

 private:
  void publish() REQUIRES(mutex_) {
    auto next = std::make_shared<Published>();
    for (const PurgeRule& rule : rules_) next->table.add(rule);
    next->table.set_epoch(epoch_);
    next->table.set_swept_epoch(swept_epoch_);
    next->last_purge = epoch_;
    published_ = std::move(next);
  }

  mutable base::Mutex mutex_;
  std::vector<PurgeRule> rules_ GUARDED_BY(mutex_);
  std::uint64_t epoch_ GUARDED_BY(mutex_) = 0;
  std::uint64_t swept_epoch_ GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const Published> published_ GUARDED_BY(mutex_) = std::make_shared<Published>();
};

}  // namespace

TEST_CASE("on many threads no look-up gets a body that is older than the last purge it knows of") {
  constexpr int kPurges = 200;
  constexpr std::uint32_t kPaths = 300;
  Store store(std::uint64_t{1} << 20, 4);  // small: it evicts
  FillTable fills;
  Publisher publisher;
  std::atomic<int> wrong{0};
  std::atomic<int> hits{0};
  std::atomic<bool> over{false};

  const auto work = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    auto lagging = publisher.get();
    while (!over) {
      const OwnedKey key("shop", "/" + std::to_string(random() % kPaths));
      const auto pinned = publisher.get();
      if (random() % 16 == 0) lagging = pinned;
      const auto found = store.find(key.key(), {}, pinned->table);
      if (found.response && found.purged == Purged::No) {
        ++hits;
        const auto body = *found.response->body()->contiguous();
        if (std::stoull(std::string(body)) < pinned->last_purge) ++wrong;
        if (random() % 4 == 0)  // what compresses it has come to its end
          store.set_encodings(key.key(), *found.response->body(),
                              {{.coding = http::Coding::Gzip, .body = Body::of("g")}});
        continue;
      }
      // Some requests pinned their snapshot long ago, and hold nothing back until they fetch.
      const Published& under = random() % 4 == 0 ? *lagging : *pinned;
      const Stamp stamp{.epoch = under.table.epoch(), .generation = 1};
      const FillTable::Fetching fetching(fills, stamp);
      store.insert(key.key(), {},
                   test::make_response(key.key(), {}, std::to_string(under.last_purge), stamp));
    }
  };
  std::vector<std::thread> workers;
  for (std::uint32_t i = 0; i < 3; ++i) workers.emplace_back(work, i);
  for (int i = 0; i < kPurges; ++i) {
    // Until somebody has had use of the cache, so that there is something to purge.
    for (const int before = hits; hits == before;) std::this_thread::yield();
    publisher.purge(i % 3 == 0 ? PurgeMode::Delete : PurgeMode::Revalidate);
    for (int sweeps = 0; sweeps < 3; ++sweeps)
      publisher.retire(sweep(store, fills, publisher.get()->table));
  }
  over = true;
  for (std::thread& worker : workers) worker.join();
  CHECK(wrong == 0);
  CHECK(hits > 0);
  publisher.retire(sweep(store, fills, publisher.get()->table));
  CHECK(publisher.rules() == 0);
}

TEST_CASE("a walk from the last slot to the first meets what stays, whatever goes in between") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    FlatTable<std::uint64_t> table;
    std::set<std::uint64_t> staying;
    // Homes in the last eight slots and the first eight: one cluster reaches around the end.
    const auto hash_of = [](std::uint64_t value) { return value * 5 % 16 - 8; };
    for (std::uint64_t value = 1; value <= 40; ++value) {
      table.insert(hash_of(value), value);
      staying.insert(value);
    }
    std::set<std::uint64_t> met;
    std::uint64_t wraps = table.wraps() + 1;
    for (int tries = 0; wraps != table.wraps(); ++tries) {
      REQUIRE(tries < 100);
      wraps = table.wraps();
      for (std::size_t next = table.capacity(); next > 0;) {
        if (const std::uint64_t value = table.at(--next); value != 0) met.insert(value);
        if (staying.empty() || random() % 3 != 0) continue;
        const auto victim = std::next(staying.begin(), random() % staying.size());
        auto* slot =
            table.find(hash_of(*victim), [&](std::uint64_t value) { return value == *victim; });
        REQUIRE(slot != nullptr);
        table.erase(slot);
        staying.erase(victim);
      }
    }
    INFO("seed " << seed);
    CHECK(std::includes(met.begin(), met.end(), staying.begin(), staying.end()));
  }
}
