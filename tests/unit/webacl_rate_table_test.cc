// SPDX-License-Identifier: MIT
// Sliding windows: exact, bounded, shared.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "appliance/guard/waf/rate/table.h"

namespace {

using headgate::Duration;
using headgate::base::Hash128;
using headgate::base::MonoTime;
using headgate::guard::waf::RateTable;
using std::chrono::milliseconds;

constexpr Duration kWindow = std::chrono::seconds(10);

MonoTime at(std::int64_t ms) { return MonoTime(milliseconds(1'000'000 + ms)); }
Hash128 key(std::uint64_t number) {
  return {number * 0x9E3779B97F4A7C15ULL, number * 0xC2B2AE3D27D4EB4FULL};
}

bool passes(RateTable& table, std::uint64_t number, std::int64_t ms, std::uint32_t limit = 3) {
  return table.take(key(number), limit, kWindow, at(ms)) == Duration::zero();
}

TEST_CASE("as many requests pass in any window as the limit says, and not one more") {
  RateTable table;
  CHECK(passes(table, 1, 0));
  CHECK(passes(table, 1, 4000));
  CHECK(passes(table, 1, 9999));
  CHECK_FALSE(passes(table, 1, 9999));
  // The first one leaves the window, and one place is free.
  CHECK(passes(table, 1, 10000));
  CHECK_FALSE(passes(table, 1, 10000));
  CHECK_FALSE(passes(table, 1, 13999));
  CHECK(passes(table, 1, 14000));
}

TEST_CASE("who does not pass is told when a place will be free, to the millisecond") {
  RateTable table;
  for (const int ms : {100, 100, 700}) CHECK(passes(table, 1, ms));
  CHECK(table.take(key(1), 3, kWindow, at(1100)) == milliseconds(9000));
  CHECK(table.take(key(1), 3, kWindow, at(10099)) == milliseconds(1));
  CHECK(passes(table, 1, 10100));
}

TEST_CASE("requests that do not pass are not counted") {
  RateTable table;
  for (int i = 0; i < 3; ++i) CHECK(passes(table, 1, 0));
  for (int ms = 1; ms < 10000; ms += 7) CHECK_FALSE(passes(table, 1, ms));
  for (int i = 0; i < 3; ++i) CHECK(passes(table, 1, 10000));
}

TEST_CASE("a limit of many is one, too, whoever else comes") {
  RateTable table({.max_bytes = std::size_t{1} << 20, .shards = 1});
  constexpr std::uint32_t kLimit = 40'000;
  const Duration window = std::chrono::hours(1);
  std::uint32_t passed = 0;
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    if (table.take(key(1), kLimit, window, at(i * 2)) == Duration::zero()) ++passed;
    if (i % 1000 == 0) table.take(key(100 + i % 7), kLimit, window, at(i * 2));
  }
  CHECK(passed == kLimit);
  CHECK(table.stats().forgotten == 0);
  // A place is free when the first one has left, or a 4096th of the window later.
  const Duration wait = table.take(key(1), kLimit, window, at(400'000));
  CHECK(wait >= window - milliseconds(400'000));
  CHECK(wait <= window - milliseconds(400'000) + window / 4096 + milliseconds(1));
}

TEST_CASE("keys do not share their windows") {
  RateTable table;
  for (std::uint64_t number = 0; number < 1000; ++number)
    for (int i = 0; i < 3; ++i) CHECK(passes(table, number, 5));
  for (std::uint64_t number = 0; number < 1000; ++number) CHECK_FALSE(passes(table, number, 6));
}

TEST_CASE("a clock that was read a moment earlier by another thread does not free a place") {
  RateTable table;
  for (int i = 0; i < 3; ++i) CHECK(passes(table, 1, 5000));
  CHECK_FALSE(passes(table, 1, 4990));
  CHECK(table.take(key(1), 3, kWindow, at(4990)) == kWindow);
}

TEST_CASE("windows of many requests keep the order of their ring while it grows and wraps") {
  RateTable table;
  std::vector<std::int64_t> passed;
  std::int64_t ms = 0;
  for (int i = 0; i < 5000; ++i) {
    ms += i % 13;
    std::erase_if(passed, [&](std::int64_t one) { return one + kWindow.count() <= ms; });
    const bool expected = passed.size() < 700;
    REQUIRE(passes(table, 1, ms, 700) == expected);
    if (expected) passed.push_back(ms);
  }
}

TEST_CASE("a million keys stay within the bound, and the one that keeps coming is not forgotten") {
  RateTable table({.max_bytes = 8 << 20, .shards = 16});
  for (int i = 0; i < 3; ++i) CHECK(passes(table, 0, 0));
  for (std::uint64_t number = 1; number <= 1'000'000; ++number) {
    table.take(key(number), 3, kWindow, at(1));
    if (number % 1000 == 0) REQUIRE_FALSE(passes(table, 0, 1));
  }
  const auto stats = table.stats();
  CHECK(stats.bytes <= 8 << 20);
  CHECK(stats.keys > 10'000);
  CHECK(stats.forgotten == 1'000'001 - stats.keys);
}

TEST_CASE("keys whose window is over make room without being counted as forgotten") {
  RateTable table({.max_bytes = 1 << 20, .shards = 1});
  for (std::uint64_t number = 0; number < 2000; ++number) passes(table, number, 0);
  for (std::uint64_t number = 0; number < 4000; ++number) passes(table, 10'000 + number, 20'000);
  CHECK(table.stats().forgotten == 0);
  CHECK(table.stats().keys == 4000);
}

TEST_CASE("threads that come at the same time share a limit exactly") {
  RateTable table;
  std::atomic<int> passed{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      while (!go.load()) std::this_thread::yield();
      for (int j = 0; j < 2000; ++j)
        if (passes(table, 7, j / 100, 1000)) passed.fetch_add(1);
    });
  go.store(true);
  for (auto& thread : threads) thread.join();
  CHECK(passed.load() == 1000);
}

}  // namespace
