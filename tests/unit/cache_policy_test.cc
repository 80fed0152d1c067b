// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "appliance/cache/policy/gdsf.h"
#include "appliance/cache/policy/lru.h"
#include "appliance/cache/policy/policy.h"
#include "appliance/cache/policy/policy_group.h"
#include "appliance/cache/policy/s3fifo.h"
#include "appliance/cache/store/store.h"
#include "tests/support/cache_fixture.h"

using namespace headgate::cache;
using headgate::test::make_response;
using headgate::test::OwnedKey;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::vector<Policy::Entry> entries_of(std::vector<std::uint64_t> charges) {
  std::vector<Policy::Entry> entries(charges.size());
  for (std::size_t i = 0; i < charges.size(); ++i) {
    entries[i].set_charge(charges[i]);
    entries[i].fingerprint = static_cast<std::uint32_t>(i);
  }
  return entries;
}

void fill(Store& store, int count, std::size_t size) {
  const std::string body(size, 'x');
  for (int i = 0; i < count; ++i) {
    const OwnedKey key("shop", "/" + std::to_string(i));
    store.insert(key.key(), {}, make_response(key.key(), {}, body));
  }
}

bool stores(Store& store, int number) {
  const PurgeTable purges;
  const OwnedKey key("shop", "/" + std::to_string(number));
  return static_cast<bool>(store.find(key.key(), {}, purges).response);
}

}  // namespace

TEST_CASE("every policy gives back each entry once, knows their octets, and has a name") {
  for (const Policy::Kind kind : kEveryPolicy) {
    CAPTURE(name_of(kind));
    CHECK(policy_named(name_of(kind)) == kind);
    const auto policy = make_policy(kind, {.capacity_bytes = 1000, .max_ghosts = 100});
    auto entries = entries_of(std::vector<std::uint64_t>(100, 10));
    for (Policy::Entry& entry : entries) policy->on_insert(entry);
    for (std::size_t i = 0; i < entries.size(); i += 3) policy->on_hit(entries[i]);
    policy->on_remove(entries[50]);
    Policy::Entry by = entries[51];
    by.charge = 30;
    policy->on_insert(by, &entries[51]);
    CHECK(policy->stats().resident_bytes == 98 * 10 + 30);
    std::size_t left = 0;
    while (policy->evict(1000) != nullptr) ++left;
    CHECK(left == 99);
    CHECK(policy->stats().resident_bytes == 0);
  }
  CHECK_FALSE(policy_named("fifo"));
}

TEST_CASE("the members of a group evict in the order of one queue") {
  for (const Policy::Kind kind : {Policy::Kind::S3Fifo, Policy::Kind::Lru}) {
    CAPTURE(name_of(kind));
    const auto group = std::make_shared<PolicyGroup>(3, Policy::Options{.capacity_bytes = 1000});
    std::vector<std::unique_ptr<Policy>> members;
    for (std::size_t i = 0; i < 3; ++i) members.push_back(make_policy(kind, group, i));
    auto entries = entries_of(std::vector<std::uint64_t>(90, 1));
    const auto member_of = [](std::size_t i) { return i * i % 7 % 3; };
    for (std::size_t i = 0; i < entries.size(); ++i) members[member_of(i)]->on_insert(entries[i]);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::size_t next = next_member(*group, 1000);
      REQUIRE(next == member_of(i));
      CHECK(members[(next + 1) % 3]->evict(1000) == nullptr);
      REQUIRE(members[next]->evict(1000) == &entries[i]);
    }
    CHECK(next_member(*group, 1000) == group->members());
    CHECK(members[0]->evict(1000) == nullptr);
  }
}

TEST_CASE("what has proven itself goes around among all members, not within its own") {
  const auto group = std::make_shared<PolicyGroup>(2, Policy::Options{.capacity_bytes = 10});
  S3Fifo first(group, 0);
  S3Fifo second(group, 1);
  auto entries = entries_of({1, 5, 5});
  first.on_insert(entries[0]);  // fills the small queue of both
  first.on_insert(entries[1]);
  second.on_insert(entries[2]);
  first.on_hit(entries[1]);
  CHECK(next_member(*group, 10) == 0);
  CHECK(first.evict(10) == nullptr);  // it has another round; the other member's is next
  CHECK(next_member(*group, 10) == 1);
  CHECK(second.evict(10) == &entries[2]);
}

TEST_CASE("the members of a group remember what has gone together, as long as one cache would") {
  const auto group =
      std::make_shared<PolicyGroup>(2, Policy::Options{.capacity_bytes = 100, .max_ghosts = 1000});
  S3Fifo first(group, 0);
  S3Fifo second(group, 1);
  auto entries = entries_of(std::vector<std::uint64_t>(90, 1));
  for (Policy::Entry& entry : entries) {
    first.on_insert(entry);
    CHECK(second.evict(0) == nullptr);
    REQUIRE(first.evict(0) == &entry);
  }
  // All ghosts are of one member: they have room for nine tenths of the whole capacity.
  first.on_insert(entries[0]);
  CHECK(+entries[0].queue == S3Fifo::kMain);
}

TEST_CASE("LRU evicts what was used longest ago") {
  Lru lru(std::make_shared<PolicyGroup>(1, Policy::Options()), 0);
  auto entries = entries_of({1, 1, 1});
  for (Policy::Entry& entry : entries) lru.on_insert(entry, nullptr, 0);
  lru.on_hit(entries[0]);
  CHECK(lru.evict(3) == &entries[1]);
  CHECK(lru.evict(3) == &entries[2]);
  CHECK(lru.evict(3) == &entries[0]);
}

TEST_CASE("GDSF evicts what is large and seldom used, and forgets old fame") {
  Gdsf gdsf(std::make_shared<PolicyGroup>(1, Policy::Options()), 0);
  auto entries = entries_of({10, 100, 100, 10});
  for (std::size_t i = 0; i < 3; ++i) gdsf.on_insert(entries[i], nullptr, 0);
  gdsf.on_hit(entries[1]);
  CHECK(gdsf.evict(1000) == &entries[2]);
  CHECK(gdsf.evict(1000) == &entries[1]);
  // Used twice, a long time ago: the age has overtaken it.
  gdsf.on_hit(entries[0]);
  auto passing = entries_of(std::vector<std::uint64_t>(40, 1));
  for (Policy::Entry& entry : passing) {
    gdsf.on_insert(entry, nullptr, 0);
    gdsf.on_hit(entry);
    gdsf.evict(1000);
  }
  gdsf.on_insert(entries[3], nullptr, 0);
  CHECK(gdsf.stats().resident_bytes <= 11);
}

TEST_CASE("GDSF judges a part by the size of its whole, and goes by worth among all members") {
  const auto group = std::make_shared<PolicyGroup>(2, Policy::Options());
  Gdsf first(group, 0);
  Gdsf second(group, 1);
  auto entries = entries_of({10, 10, 50, 20});
  first.on_insert(entries[0], nullptr, 1000);
  first.on_insert(entries[1], nullptr, 0);
  second.on_insert(entries[2], nullptr, 0);
  second.on_insert(entries[3], nullptr, 0);
  first.on_hit(entries[0]);
  CHECK(next_member(*group, 1000) == 0);
  CHECK(second.evict(1000) == nullptr);
  CHECK(first.evict(1000) == &entries[0]);
  CHECK(next_member(*group, 1000) == 1);
  CHECK(second.evict(1000) == &entries[2]);
  second.on_hit(entries[3]);  // is worth as much as the other now, and more than its place says
  second.on_hit(entries[3]);
  CHECK(second.evict(1000) == nullptr);
  CHECK(first.evict(1000) == &entries[1]);
  CHECK(second.evict(1000) == &entries[3]);
}

TEST_CASE("GDSF keeps the order of a heap under every change") {
  Gdsf gdsf(std::make_shared<PolicyGroup>(1, Policy::Options()), 0);
  std::vector<std::uint64_t> charges;
  for (std::uint64_t i = 0; i < 500; ++i) charges.push_back(1 + i * 7919 % 997);
  auto entries = entries_of(charges);
  for (Policy::Entry& entry : entries) gdsf.on_insert(entry, nullptr, 0);
  for (std::size_t i = 0; i < 500; i += 3) gdsf.on_remove(entries[i]);
  for (std::size_t i = 1; i < 500; i += 21)
    if (i % 3 != 0) gdsf.on_hit(entries[i]);
  double before = 0;
  std::size_t gone = 0;
  while (const Policy::Entry* entry = gdsf.evict(0)) {
    CHECK(entry->ranked.priority >= before);
    before = entry->ranked.priority;
    ++gone;
  }
  CHECK(gone == 500 - 167);
}

TEST_CASE("the small queue is a tenth of what entries may take now, not of the whole budget") {
  S3Fifo policy({.capacity_bytes = 1000, .max_ghosts = 1000});
  auto entries = entries_of(std::vector<std::uint64_t>(2000, 1));
  std::size_t next = 0;
  while (policy.stats().resident_bytes < 500) policy.on_insert(entries[next++]);
  // Tables have taken the other half.
  for (; next < entries.size(); ++next) {
    policy.evict(500);
    policy.on_insert(entries[next]);
    for (std::size_t use = 0; next % 2 == 0 && use < 2; ++use) policy.on_hit(entries[next]);
  }
  CHECK(policy.stats().new_bytes >= 45);
  CHECK(policy.stats().new_bytes <= 55);
}

TEST_CASE("what is coming in takes room from what is stored, and gives it back") {
  Store store(16 * kMiB, 1);
  fill(store, 60, kMiB / 4);
  CHECK(store.stats().resident_bytes > 14 * kMiB);
  {
    Store::Incoming incoming(store);
    incoming.set(6 * kMiB);
    const StoreStats stats = store.stats();
    CHECK(stats.incoming_bytes == 6 * kMiB);
    CHECK(stats.resident_bytes + stats.index_bytes <= 10 * kMiB);
    CHECK(stats.resident_bytes > 9 * kMiB);
    CHECK(store.accepts_fills());
    incoming.set(9 * kMiB);
    CHECK_FALSE(store.accepts_fills());
  }
  CHECK(store.stats().incoming_bytes == 0);
  fill(store, 60, kMiB / 4);
  CHECK(store.stats().resident_bytes > 14 * kMiB);
}

TEST_CASE("a store evicts by the policy that it was given") {
  for (const Policy::Kind kind : {Policy::Kind::S3Fifo, Policy::Kind::Lru}) {
    Store store(16 * kMiB, 1, kind);
    fill(store, 30, kMiB / 2);
    REQUIRE(stores(store, 0));  // one use: enough for LRU, not for the small queue's end
    const std::string body(kMiB / 2, 'x');
    for (int i = 100; i < 105; ++i) {
      const OwnedKey key("shop", "/" + std::to_string(i));
      store.insert(key.key(), {}, make_response(key.key(), {}, body));
    }
    CHECK(stores(store, 0) == (kind == Policy::Kind::Lru));
  }
}
