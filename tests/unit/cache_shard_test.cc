// SPDX-License-Identifier: MIT
// A shard and its policy: what the store cannot show from outside.
#include <doctest/doctest.h>

#include <string>

#include "appliance/cache/commons.h"
#include "appliance/cache/store/shard.h"
#include "tests/support/cache_fixture.h"

using namespace headgate::cache;
using headgate::base::Ref;
using headgate::test::make_response;
using headgate::test::OwnedKey;

namespace {

/// With room for few responses, and for one ghost.
struct OneShard {
  Shard::Inserted insert(const std::string& path) {
    const OwnedKey key("shop", path);
    const auto response = StoredResponse::stored_form(
        *make_response(key.key(), {}, std::string(1'000, 'x')), commons);
    Shard::prepare(*response, key.key(), {});
    response->count_memory();
    for (;;) {
      Leavers leavers;
      const Shard::Inserted inserted = shard.insert(key.key(), {}, response, leavers);
      if (inserted != Shard::Inserted::NoRoom) return inserted;
      REQUIRE(shard.evict(budget.room()));
    }
  }
  bool contains(const std::string& path) { return shard.contains(OwnedKey("shop", path).key()); }

  std::atomic<std::uint64_t> oldest_epoch{0};
  Budget budget{10'000};
  std::shared_ptr<PolicyGroup> group = std::make_shared<PolicyGroup>(
      1, Policy::Options{.capacity_bytes = budget.limit(), .max_ghosts = 1});
  Ref<Commons> commons = headgate::base::make_ref<Commons>(budget.limit());
  Shard shard{budget, {.group = group, .max_variants = 4}, oldest_epoch};
};

}  // namespace

TEST_CASE("what comes back is remembered although the room made for it pushes its ghost out") {
  OneShard one;
  for (int i = 0; one.contains("/0") || i == 0; ++i)
    CHECK(one.insert("/" + std::to_string(i)) == Shard::Inserted::New);
  CHECK(one.insert("/0") == Shard::Inserted::Remembered);
  CHECK_FALSE(one.contains("/1"));
}
