// SPDX-License-Identifier: MIT
// Purges while responses are fetched, revalidated and swept: an old body never comes back.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>

#include "appliance/cache/purge/sweep.h"
#include "tests/support/cache_fixture.h"

using namespace headgate;
using namespace headgate::cache;
using test::make_response;
using test::OwnedKey;

namespace {

constexpr std::uint64_t kBudget = std::uint64_t{64} << 20;

PurgeRule rule(std::string id, std::vector<std::string> paths, PurgeMode mode, std::uint64_t epoch,
               bool retained = false) {
  PurgeRule made;
  made.id = std::move(id);
  made.distribution = "shop";
  made.select.paths = std::move(paths);
  made.mode = mode;
  made.epoch = epoch;
  made.retained = retained;
  return made;
}

struct Cache {
  Store store{kBudget, 1};
  FillTable fills;

  void put(const std::string& path, std::uint64_t epoch, std::string_view body = "old") {
    const OwnedKey key("shop", path);
    store.insert(key.key(), {}, make_response(key.key(), {}, body, {epoch, 1}));
  }
  Store::Found find(const std::string& path, const PurgeTable& purges) {
    return store.find(OwnedKey("shop", path).key(), {}, purges);
  }
  Swept sweep(const PurgeTable& purges) { return cache::sweep(store, fills, purges); }
};

/// As it is published after `swept`.
PurgeTable without_rules(const PurgeTable& table, const Swept& swept) {
  PurgeTable next;
  for (const auto& each : table.rules())
    if (std::find(swept.rules.begin(), swept.rules.end(), each->id) == swept.rules.end())
      next.add(*each);
  next.set_epoch(table.epoch());
  next.set_swept_epoch(swept.epoch);
  return next;
}

}  // namespace

TEST_CASE("a sweep frees what was deleted and says so") {
  Cache cache;
  for (int i = 0; i < 500; ++i) cache.put("/a" + std::to_string(i), 0);
  cache.put("/b", 0);
  PurgeTable purges;
  purges.add(rule("one", {"/a*"}, PurgeMode::Delete, 1));
  const std::uint64_t before = cache.store.stats().resident_bytes;
  const Swept swept = cache.sweep(purges);
  CHECK(swept.rules == std::vector<std::string>{"one"});
  CHECK(swept.epoch == 1);
  CHECK(cache.store.stats().objects == 1);
  CHECK(cache.store.stats().purged == 500);
  const PurgeCount& count = *purges.rules()[0]->count;
  CHECK(count.matched == 500);
  CHECK(count.freed_bytes > 0);
  CHECK(cache.store.stats().resident_bytes + count.freed_bytes <= before);
  CHECK(cache.find("/b", without_rules(purges, swept)).purged == Purged::No);
}

TEST_CASE("what was purged softly bears a mark when its rule has gone") {
  Cache cache;
  cache.put("/a", 0);
  PurgeTable purges;
  purges.add(rule("soft", {"/a"}, PurgeMode::Revalidate, 1));
  const Swept swept = cache.sweep(purges);
  CHECK(swept.rules.size() == 1);
  const PurgeTable next = without_rules(purges, swept);
  CHECK(next.rules().empty());
  CHECK(cache.find("/a", next).purged == Purged::Soft);
  CHECK(cache.find("/a", next).purged == Purged::Soft);  // until it is replaced
  cache.put("/a", 1, "new");
  CHECK(cache.find("/a", next).purged == Purged::No);
}

TEST_CASE("a fetch that began before a purge keeps its rule until it has ended") {
  Cache cache;
  PurgeTable purges;
  purges.add(rule("one", {"/a"}, PurgeMode::Delete, 5));
  std::optional<FillTable::Fetching> fetching;
  fetching.emplace(cache.fills, Stamp{.epoch = 4, .generation = 1});
  CHECK(cache.sweep(purges).rules.empty());
  cache.put("/a", 4);  // it has come
  CHECK_FALSE(cache.find("/a", purges).response);
  cache.put("/a", 4);
  fetching.reset();
  const Swept swept = cache.sweep(purges);
  CHECK(swept.rules.size() == 1);
  CHECK_FALSE(cache.find("/a", without_rules(purges, swept)).response);
}

TEST_CASE("a request that lags behind a sweep stores nothing old") {
  Cache cache;
  PurgeTable purges;
  purges.add(rule("one", {"/a"}, PurgeMode::Revalidate, 5));
  const PurgeTable next = without_rules(purges, cache.sweep(purges));
  cache.put("/a", 4);  // pinned before the purge, begun after the sweep
  CHECK_FALSE(cache.find("/a", next).response);
  cache.put("/a", 5);
  CHECK(cache.find("/a", next).response);
}

TEST_CASE("a fetch that began earlier does not replace what a later one has brought") {
  Cache cache;
  const PurgeTable none;
  cache.put("/a", 2, "new");
  cache.put("/a", 1, "old");
  CHECK(cache.find("/a", none).response->body()->contiguous() == "new");
  cache.put("/a", 2, "newer");
  CHECK(cache.find("/a", none).response->body()->contiguous() == "newer");
}

TEST_CASE("a 304 that was asked for before a purge does not make the old body valid again") {
  Cache cache;
  const OwnedKey key("shop", "/a");
  cache.put("/a", 1);
  const auto old = cache.find("/a", PurgeTable()).response;
  PurgeTable purges;
  purges.add(rule("one", {"/a"}, PurgeMode::Delete, 2));
  const auto confirmed = [&](std::uint64_t epoch) {
    return StoredResponse::refreshed(*old, {}, {epoch, 1}, base::MonoTime(), base::MonoTime(),
                                     test::kSomeTime, Duration::zero());
  };
  cache.store.insert(key.key(), {}, confirmed(1));
  CHECK_FALSE(cache.find("/a", purges).response);
  cache.store.insert(key.key(), {}, confirmed(2));
  CHECK(cache.find("/a", purges).purged == Purged::No);
}

TEST_CASE("a response that gets its encodings in the middle of a sweep stays purged") {
  Cache cache;
  cache.put("/a", 0);
  const OwnedKey key("shop", "/a");
  const PurgeTable none;
  const auto compress = [&] {
    cache.store.set_encodings(key.key(), *cache.find("/a", none).response->body(),
                              {{.coding = http::Coding::Gzip, .body = Body::of("g")}});
  };
  SUBCASE("when it is marked") {
    cache.store.visit_older(1, [&](const StoredResponse&) {
      compress();
      return Store::Visit::Mark;
    });
    CHECK(cache.find("/a", none).purged == Purged::No);  // a table of epoch 0 asks nothing
  }
  SUBCASE("before it is marked, and after") {
    compress();
    cache.store.visit_older(1, [](const StoredResponse&) { return Store::Visit::Mark; });
    compress();
  }
  SUBCASE("when it is removed") {
    cache.store.visit_older(1, [&](const StoredResponse&) {
      compress();
      return Store::Visit::Remove;
    });
    CHECK(cache.store.stats().objects == 0);
    return;
  }
  PurgeTable later;
  later.set_epoch(1);
  CHECK(cache.find("/a", later).response->encodings().size() == 1);
  CHECK(cache.find("/a", later).purged == Purged::Soft);
}

TEST_CASE("what can be undone is withheld, not removed, and its rule stays") {
  Cache cache;
  cache.put("/a", 0);
  PurgeTable purges;
  purges.add(rule("oops", {"/a"}, PurgeMode::Delete, 1, true));
  CHECK_FALSE(cache.find("/a", purges).response);
  CHECK(cache.store.stats().objects == 1);
  CHECK(cache.sweep(purges).rules.empty());
  CHECK(cache.store.stats().objects == 1);
  SUBCASE("an undo brings it back") {
    PurgeTable undone;
    undone.set_epoch(2);
    CHECK(cache.find("/a", undone).purged == Purged::No);
    CHECK(cache.find("/a", undone).response);
  }
  SUBCASE("when it has been fetched anew there is nothing to undo") {
    cache.put("/a", 1, "new");
    CHECK(cache.sweep(purges).rules.size() == 1);
    CHECK(cache.find("/a", purges).response->body()->contiguous() == "new");
  }
  SUBCASE("when its time is over it goes") {
    PurgeTable lapsed;
    lapsed.add(rule("oops", {"/a"}, PurgeMode::Delete, 1));
    CHECK(cache.sweep(lapsed).rules.size() == 1);
    CHECK(cache.store.stats().objects == 0);
  }
}

TEST_CASE("who joins a fetch after a purge does not get what the purge is about") {
  FillTable fills;
  const OwnedKey key("shop", "/a");
  const PurgeTable none;
  const UriInvalidations changes;
  const auto leader = fills.join(key.key(), none, changes, 1, base::MonoTime());
  REQUIRE(leader.role == FillTable::Role::Leader);
  PurgeTable tagged;
  PurgeRule by_tag = rule("tag", {}, PurgeMode::Revalidate, 1);
  by_tag.select.tags = {"x"};
  tagged.add(by_tag);
  SUBCASE("while nobody knows its tags") {
    CHECK(fills.join(key.key(), tagged, changes, 1, base::MonoTime()).role ==
          FillTable::Role::Leader);
  }
  SUBCASE("when it has the tag") {
    const test::OwnedFields fields = {{"cache-tag", "x"}};
    leader.fill->respond(make_response(key.key(), fields, "old"), true);
    CHECK(fills.join(key.key(), tagged, changes, 1, base::MonoTime()).role ==
          FillTable::Role::Leader);
  }
  SUBCASE("when it has another one it is shared") {
    const test::OwnedFields fields = {{"cache-tag", "y"}};
    leader.fill->respond(make_response(key.key(), fields, "old"), true);
    CHECK(fills.join(key.key(), tagged, changes, 1, base::MonoTime()).role ==
          FillTable::Role::Follower);
  }
  SUBCASE("when the rule has been swept already") {
    PurgeTable swept;
    swept.set_epoch(1);
    swept.set_swept_epoch(1);
    CHECK(fills.join(key.key(), swept, changes, 1, base::MonoTime()).role ==
          FillTable::Role::Leader);
  }
  if (leader.fill->state() == Fill::State::Waiting) leader.fill->abandon();
}

// Fetches begin and end, purges come, rules are swept, in any order: whatever a look-up under the
// newest table may use without asking was fetched after every purge of its path.
TEST_CASE("in any order of fetches, purges and sweeps no body is older than the last purge") {
  struct Fetch {
    std::string path;
    std::uint64_t epoch;
    bool leased;
    FillTable::Fetching lease;
  };
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto any = [&random](std::uint32_t below) { return random() % below; };
    Cache cache;
    std::uint64_t epoch = 0;
    std::vector<PurgeRule> live;
    std::uint64_t swept_epoch = 0;
    std::map<std::string, std::uint64_t> last_purge;
    std::vector<Fetch> fetches;
    const auto table = [&] {
      PurgeTable made;
      for (const PurgeRule& each : live) made.add(each);
      made.set_epoch(epoch);
      made.set_swept_epoch(swept_epoch);
      return made;
    };
    for (int step = 0; step < 120; ++step) {
      const std::string path = "/" + std::to_string(any(4));
      switch (any(6)) {
        case 0: {
          ++epoch;
          const bool all = any(4) == 0;
          live.push_back(rule(std::to_string(epoch), {all ? "/*" : path},
                              any(2) == 0 ? PurgeMode::Delete : PurgeMode::Revalidate, epoch));
          for (int i = 0; i < 4; ++i)
            if (const auto each = "/" + std::to_string(i); all || each == path)
              last_purge[each] = epoch;
          break;
        }
        case 1: {
          const PurgeTable now = table();
          const Swept swept = cache.sweep(now);
          swept_epoch = std::max(swept_epoch, swept.epoch);
          std::erase_if(live, [&](const PurgeRule& each) {
            return std::find(swept.rules.begin(), swept.rules.end(), each.id) != swept.rules.end();
          });
          break;
        }
        case 2: {  // sometimes under a table that is no longer the newest, and not yet known of
          Fetch fetch{path, epoch - std::min<std::uint64_t>(epoch, any(3)), any(3) != 0, {}};
          if (fetch.leased) fetch.lease = FillTable::Fetching(cache.fills, {fetch.epoch, 1});
          fetches.push_back(std::move(fetch));
          break;
        }
        case 3:
          if (!fetches.empty()) {
            const auto ended = fetches.begin() + any(static_cast<std::uint32_t>(fetches.size()));
            cache.put(ended->path, ended->epoch, std::to_string(ended->epoch));
            fetches.erase(ended);
          }
          break;
        default: {
          const Store::Found found = cache.find(path, table());
          if (!found.response || found.purged != Purged::No) break;
          const auto fetched_at = std::stoull(std::string(*found.response->body()->contiguous()));
          INFO("seed " << seed << ", step " << step << ", path " << path);
          CHECK(fetched_at >= last_purge[path]);
        }
      }
    }
  }
}
