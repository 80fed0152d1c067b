// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "appliance/cache/disk/index.h"

using headgate::cache::disk::Index;
using headgate::cache::disk::Place;

namespace {

Place some_place(std::uint32_t number) {
  return {.region = number % 1000, .offset = number % 100'000, .length = 1 + number % 16'000};
}

}  // namespace

TEST_CASE("the disk's index agrees with a map, whatever comes and goes") {
  std::mt19937_64 random(1);
  Index index;
  std::map<std::uint64_t, Place> model;
  std::vector<std::uint64_t> hashes(4000);
  // Half of them in one shard, in runs of neighbouring tags that wrap around its end.
  for (std::size_t i = 0; i < hashes.size(); ++i)
    hashes[i] = i % 2 == 0
                    ? random()
                    : (std::uint64_t{0xab} << 56) + (((i * 3) - 3000) << 24 & 0xffffffff000000);
  for (std::uint32_t step = 0; step < 200'000; ++step) {
    const std::uint64_t hash = hashes[random() % hashes.size()];
    const Place place = some_place(step);
    switch (random() % 5) {
      case 0:
      case 1:
        index.put(hash, place);
        model[hash] = place;
        break;
      case 2:
        REQUIRE(index.erase(hash, false) == (model.erase(hash) == 1));
        break;
      case 3: {
        const auto found = model.find(hash);
        if (found != model.end()) {
          REQUIRE_FALSE(index.erase_at(hash, some_place(step + 1)));
          REQUIRE(index.erase_at(hash, found->second));
          model.erase(found);
        }
        break;
      }
      default: {
        const auto found = model.find(hash);
        REQUIRE(index.find(hash) ==
                (found != model.end() ? std::optional<Place>(found->second) : std::nullopt));
      }
    }
    if (step % 5000 == 0) {
      REQUIRE(index.size() == model.size());
      for (const auto& [key, value] : model) REQUIRE(index.find(key) == value);
    }
  }
  const std::size_t in_region = static_cast<std::size_t>(std::count_if(
      model.begin(), model.end(), [](const auto& entry) { return entry.second.region == 7; }));
  CHECK(index.erase_region(7) == in_region);
  CHECK(index.size() == model.size() - in_region);
}

TEST_CASE("an entry of the disk's index takes at most 16 octets of memory") {
  std::mt19937_64 random(2);
  Index index;
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    index.put(random(), some_place(i));
    if (i >= 200'000 && i % 50'000 == 0) CHECK(index.memory_bytes() <= 16 * index.size());
  }
  CHECK(index.size() > 999'000);  // nearly nobody displaces another
}

TEST_CASE("recovery puts what nobody knows better, and what was removed stays away until its end") {
  Index index;
  index.put(1, some_place(1));
  CHECK_FALSE(index.put_older(1, some_place(2), false));
  CHECK(index.find(1) == some_place(1));
  const std::uint64_t other = std::uint64_t{5} << 24;
  index.erase(other, true);
  CHECK_FALSE(index.put_older(other, some_place(3), false));
  const std::uint64_t gone = std::uint64_t{9} << 24;
  CHECK(index.put_older(gone, {}, true));
  CHECK_FALSE(index.put_older(gone, some_place(4), false));
  CHECK_FALSE(index.find(gone));
  CHECK(index.size() == 1);
  index.put(gone, some_place(5));  // stored again meanwhile
  index.forget_gone();
  CHECK(index.find(gone) == some_place(5));
  CHECK_FALSE(index.find(other));
  CHECK(index.size() == 2);
}

TEST_CASE("uses are counted up to three, and begin anew when they are taken") {
  Index index;
  index.put(1, some_place(1));
  CHECK(index.take_uses(1, some_place(1)) == 0u);
  for (int i = 0; i < 9; ++i) static_cast<void>(index.find(1));
  CHECK_FALSE(index.take_uses(1, some_place(2)));
  CHECK(index.take_uses(1, some_place(1)) == 3u);
  CHECK(index.take_uses(1, some_place(1)) == 0u);
}
