// SPDX-License-Identifier: MIT
// Early data is taken once.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "appliance/server/h3/crypto/replay.h"

using headgate::server::ReplayStore;

TEST_CASE("what has been seen is not taken again until it may be forgotten") {
  ReplayStore store;
  CHECK(store.add("hello", 110, 100));
  CHECK_FALSE(store.add("hello", 120, 105));
  CHECK(store.add("another", 120, 105));
  CHECK_FALSE(store.add("hello", 120, 110));
  CHECK(store.add("hello", 130, 111));
  CHECK(store.size() == 2);
}

TEST_CASE("a flood is refused when there is no more room, and room comes back") {
  ReplayStore store;
  for (std::size_t i = 0; i < ReplayStore::kMaxEntries; ++i)
    REQUIRE(store.add(std::to_string(i), 10, 0));
  CHECK_FALSE(store.add("one more", 10, 0));
  CHECK(store.add("one more", 20, 11));
  CHECK(store.size() == 1);
}

TEST_CASE("of many threads with the same hello one is let through") {
  ReplayStore store;
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 100; ++j) taken += store.add(std::to_string(j), 10, 0) ? 1 : 0;
    });
  for (auto& thread : threads) thread.join();
  CHECK(taken == 100);
}
