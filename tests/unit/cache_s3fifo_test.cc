// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "appliance/cache/policy/s3fifo.h"

using headgate::cache::FlatTable;
using headgate::cache::GhostQueue;
using headgate::cache::S3Fifo;

namespace {

/// The policy and the entries that it orders, by key.
struct Cache {
  explicit Cache(std::uint64_t capacity_bytes, std::uint32_t max_ghosts = 100'000)
      : capacity(capacity_bytes),
        policy({.capacity_bytes = capacity_bytes, .max_ghosts = max_ghosts}) {}

  bool contains(std::uint32_t key) const { return entries.count(key) != 0; }
  /// Whether it was a hit; a miss inserts, evicting what it must.
  bool use(std::uint32_t key, std::uint64_t size = 1) {
    if (const auto found = entries.find(key); found != entries.end()) {
      policy.on_hit(*found->second);
      return true;
    }
    while (bytes + size > capacity) {
      S3Fifo::Entry* victim = policy.evict(capacity);
      REQUIRE(victim != nullptr);
      bytes -= victim->charge;
      entries.erase(victim->fingerprint);
    }
    auto entry = std::make_unique<S3Fifo::Entry>();
    entry->set_charge(size);
    entry->fingerprint = key;
    bytes += size;
    policy.on_insert(*entry);
    entries[key] = std::move(entry);
    return false;
  }

  const std::uint64_t capacity;
  std::uint64_t bytes = 0;
  S3Fifo policy;
  std::unordered_map<std::uint32_t, std::unique_ptr<S3Fifo::Entry>> entries;
};

/// The same policy written down as plainly as possible: three queues of keys, the oldest in front.
struct PlainS3Fifo {
  struct Item {
    std::uint32_t key;
    std::uint64_t size;
    int uses;
  };
  explicit PlainS3Fifo(std::uint64_t capacity_bytes) : capacity(capacity_bytes) {}

  static std::uint64_t sum(const std::deque<Item>& queue) {
    std::uint64_t all = 0;
    for (const Item& item : queue) all += item.size;
    return all;
  }
  static bool drop(std::deque<Item>& queue, std::uint32_t key) {
    const auto found =
        std::find_if(queue.begin(), queue.end(), [key](const Item& i) { return i.key == key; });
    if (found == queue.end()) return false;
    queue.erase(found);
    return true;
  }
  bool use(std::uint32_t key, std::uint64_t size) {
    for (auto* queue : {&small, &main})
      for (Item& item : *queue)
        if (item.key == key) {
          item.uses = std::min(3, item.uses + 1);
          return true;
        }
    while (sum(small) + sum(main) + size > capacity) evict();
    const bool known = drop(ghosts, key);
    const bool overflow = !has_evicted && sum(small) >= capacity / 10;
    (known || overflow ? main : small).push_back({key, size, 0});
    return false;
  }
  void evict() {
    has_evicted = true;
    if (sum(main) <= capacity - capacity / 10) {
      while (!small.empty()) {
        Item item = small.front();
        small.pop_front();
        if (item.uses < 2) {
          drop(ghosts, item.key);
          if (item.size > capacity / 10 * 9) return;
          while (sum(ghosts) + item.size > capacity / 10 * 9) ghosts.pop_front();
          ghosts.push_back(item);
          return;
        }
        item.uses = 0;
        main.push_back(item);
      }
    }
    for (;;) {
      Item item = main.front();
      main.pop_front();
      if (item.uses == 0) return;
      --item.uses;
      main.push_back(item);
    }
  }

  const std::uint64_t capacity;
  std::deque<Item> small, main, ghosts;
  bool has_evicted = false;
};

}  // namespace

TEST_CASE("new entries pass through the small queue and leave it unused, in order") {
  Cache cache(100);
  for (std::uint32_t key = 0; key < 100; ++key) cache.use(key);  // 10 to small, then main fills up
  CHECK(cache.policy.stats().new_bytes == 10);
  CHECK(cache.policy.stats().resident_bytes == 100);
  cache.use(1000);
  CHECK_FALSE(cache.contains(0));
  cache.use(1001);
  CHECK_FALSE(cache.contains(1));
  CHECK(cache.contains(99));
}

TEST_CASE("what is used twice in the small queue goes to main, what is used once does not") {
  Cache cache(100);
  for (std::uint32_t key = 0; key < 100; ++key) cache.use(key);
  cache.use(0);
  cache.use(0);
  cache.use(1);
  for (std::uint32_t key = 200; key < 260; ++key) cache.use(key);
  CHECK(cache.contains(0));
  CHECK_FALSE(cache.contains(1));
}

TEST_CASE("a key whose ghost is known comes back into main") {
  Cache cache(100);
  for (std::uint32_t key = 0; key < 101; ++key) cache.use(key);
  CHECK_FALSE(cache.contains(0));
  CHECK(cache.policy.stats().new_bytes == 10);
  cache.use(0);  // the oldest of small makes room, nothing takes its place there
  CHECK(cache.policy.stats().new_bytes == 9);
}

TEST_CASE("main is a clock: used entries get another round, up to three") {
  S3Fifo policy({.capacity_bytes = 10, .max_ghosts = 0});
  std::vector<S3Fifo::Entry> entries(3);
  for (S3Fifo::Entry& entry : entries) {
    entry.charge = 5;  // the first fills small, the others go to main
    policy.on_insert(entry);
  }
  for (int i = 0; i < 10; ++i) policy.on_hit(entries[1]);
  CHECK(+entries[1].uses == 3);
  CHECK(policy.evict(10) == &entries[2]);  // main is over its 9 octets; entry 1 was used
  CHECK(policy.evict(10) == &entries[0]);
  CHECK(policy.evict(10) == &entries[1]);
  CHECK(policy.evict(10) == nullptr);
}

TEST_CASE("a replacement inherits place and frequency; a removed entry leaves no ghost") {
  S3Fifo policy({.capacity_bytes = 100, .max_ghosts = 100});
  S3Fifo::Entry old;
  old.charge = 4;
  old.fingerprint = 1;
  policy.on_insert(old);
  policy.on_hit(old);
  S3Fifo::Entry by;
  by.charge = 7;
  by.fingerprint = 1;
  policy.on_insert(by, &old);
  CHECK(+by.uses == 1);
  CHECK(+by.queue == S3Fifo::kSmall);
  CHECK(policy.stats().new_bytes == 7);
  policy.on_remove(by);
  CHECK(policy.stats().new_bytes == 0);
  policy.on_insert(old);
  CHECK(+old.queue == S3Fifo::kSmall);
}

TEST_CASE("ghosts are bounded by the octets they stand for and by number") {
  GhostQueue by_bytes(100, 1'000);
  for (std::uint32_t i = 0; i < 50; ++i) by_bytes.add(i, 10);
  CHECK_FALSE(by_bytes.take(39));
  CHECK(by_bytes.take(40));
  CHECK_FALSE(by_bytes.take(40));
  by_bytes.add(100, 101);  // larger than all of it
  CHECK_FALSE(by_bytes.take(100));
  CHECK(by_bytes.take(49));

  GhostQueue by_number(1'000'000, 8);
  for (std::uint32_t i = 0; i < 100'000; ++i) by_number.add(i % 1'000, 1);
  CHECK(by_number.memory_bytes() < 10'000);
  CHECK(by_number.take(999));
  CHECK(by_number.take(992));
  CHECK_FALSE(by_number.take(991));
}

TEST_CASE("a ghost that is added again counts from its last addition") {
  GhostQueue ghosts(3, 100);
  ghosts.add(1, 1);
  ghosts.add(2, 1);
  ghosts.add(1, 1);
  ghosts.add(3, 1);
  ghosts.add(4, 1);  // 2 is now the oldest
  CHECK_FALSE(ghosts.take(2));
  CHECK(ghosts.take(1));
  CHECK(ghosts.take(3));
}

TEST_CASE("the policy decides as its plain description does, use by use") {
  for (std::uint32_t seed = 0; seed < 6; ++seed) {
    std::mt19937 random(seed);
    Cache cache(2'000);
    PlainS3Fifo plain(2'000);
    std::vector<std::uint64_t> sizes(600);
    for (std::uint64_t& size : sizes) size = 1 + random() % (seed % 2 == 0 ? 10 : 150);
    for (int step = 0; step < 20'000; ++step) {
      // Skewed: the smallest of three draws.
      const auto key =
          static_cast<std::uint32_t>(std::min({random() % 600, random() % 600, random() % 600}));
      REQUIRE(cache.use(key, sizes[key]) == plain.use(key, sizes[key]));
    }
    CHECK(cache.policy.stats().new_bytes == PlainS3Fifo::sum(plain.small));
    CHECK(cache.policy.stats().resident_bytes ==
          PlainS3Fifo::sum(plain.small) + PlainS3Fifo::sum(plain.main));
  }
}

TEST_CASE("a flat table agrees with a map, also where many hashes collide") {
  std::mt19937 random(3);
  FlatTable<std::uint64_t> table;
  std::map<std::uint64_t, std::uint64_t> model;  // value to hash
  std::uint64_t next = 1;
  for (int step = 0; step < 50'000; ++step) {
    if (random() % 5 < 3 && model.size() < 300) {
      const std::uint64_t hash = random() % 64 + (random() % 2 << 20);  // wraps, and clusters
      table.insert(hash, next);
      model[next++] = hash;
    } else if (!model.empty()) {
      auto victim = model.begin();
      std::advance(victim, random() % model.size());
      auto* slot = table.find(victim->second, [&](std::uint64_t v) { return v == victim->first; });
      REQUIRE(slot != nullptr);
      table.erase(slot);
      model.erase(victim);
    }
    REQUIRE(table.size() == model.size());
    if (step % 100 == 0)
      for (const auto& [value, hash] : model) {
        const std::uint64_t wanted = value;
        REQUIRE(table.find(hash, [=](std::uint64_t v) { return v == wanted; }) != nullptr);
        REQUIRE(table.find(hash + 1000, [](std::uint64_t) { return true; }) == nullptr);
      }
  }
}
