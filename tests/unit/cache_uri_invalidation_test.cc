// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "appliance/cache/purge/uri_invalidation.h"

namespace headgate::cache {
namespace {

TEST_CASE("a change covers what was fetched before it and nothing that was fetched after") {
  UriInvalidations changes;
  const std::uint64_t page = uri_hash("shop", "/page");
  const std::uint64_t before = changes.count();
  CHECK_FALSE(changes.covers(page, before));
  changes.invalidate(page);
  CHECK(changes.covers(page, before));
  CHECK_FALSE(changes.covers(page, changes.count()));
  CHECK_FALSE(changes.covers(uri_hash("shop", "/other"), before));
  CHECK_FALSE(changes.covers(uri_hash("another", "/page"), before));
}

TEST_CASE("the latest of concurrent changes stays") {
  UriInvalidations changes;
  constexpr int kThreads = 4;
  constexpr int kEach = 10'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&changes] {
      for (int n = 0; n < kEach; ++n) changes.invalidate(7);
    });
  for (auto& thread : threads) thread.join();
  CHECK(changes.count() == std::uint64_t{kThreads} * kEach);
  CHECK(changes.covers(7, changes.count() - 1));
  CHECK_FALSE(changes.covers(7, changes.count()));
}

}  // namespace
}  // namespace headgate::cache
