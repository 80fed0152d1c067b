// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "appliance/cache/simulate/curve_thread.h"
#include "appliance/cache/simulate/generator.h"
#include "appliance/cache/simulate/miss_curve.h"
#include "appliance/cache/store/store.h"
#include "tests/support/cache_fixture.h"

using namespace headgate::cache;
using headgate::test::make_response;
using headgate::test::OwnedKey;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TraceGenerator::Options long_trace() {
  TraceGenerator::Options options;
  options.requests = 1'000'000;
  options.objects = 200'000;
  options.zipf = 0.7;
  options.median_size = 8 * 1024;
  options.sigma = 1;
  return options;
}

}  // namespace

TEST_CASE(
    "a sample of the keys tells what the cache would miss at half, the same and twice the size") {
  constexpr std::uint64_t kCapacity = 512 * kMiB;
  MissCurve curve(Policy::Kind::S3Fifo, kCapacity, 2'000);
  std::vector<std::unique_ptr<Simulation>> whole;
  for (const double scale : MissCurveStats::kScales) {
    Simulation::Options options;
    options.capacity_bytes = static_cast<std::uint64_t>(kCapacity * scale);
    whole.push_back(std::make_unique<Simulation>(options));
  }
  std::uint64_t requests = 0;
  for (TraceGenerator generator(long_trace()); !generator.done();) {
    const auto request = generator.next();
    const std::uint64_t hash = trace_hash(key_of(request));
    for (const auto& simulation : whole) simulation->use(hash, request.size_bytes);
    if (curve.takes(hash)) curve.record(hash, request.size_bytes);
    if (++requests % 1000 == 0) curve.work();
  }
  const MissCurveStats stats = curve.stats();
  CHECK(stats.lost == 0);
  CHECK(stats.sampled_one_in > 16);  // it did get narrower
  CHECK(static_cast<double>(stats.requests) ==
        doctest::Approx(static_cast<double>(requests)).epsilon(0.1));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CAPTURE(MissCurveStats::kScales[i]);
    const double told = static_cast<double>(stats.misses[i]) / static_cast<double>(stats.requests);
    CHECK(std::abs(told - whole[i]->totals().object_miss_ratio()) < 0.03);
  }
  CHECK(stats.misses[0] > stats.misses[1]);
  CHECK(stats.misses[1] > stats.misses[2]);
}

TEST_CASE("samples that nobody looks at are lost, and fewer are taken then") {
  MissCurve curve(Policy::Kind::Lru, kMiB, 100'000);
  CHECK(curve.takes(0));
  CHECK(curve.takes(UINT64_MAX / 16 - 1));
  CHECK_FALSE(curve.takes(UINT64_MAX / 16));
  for (std::size_t i = 0; i < SampleRing::kSlots + 5; ++i) curve.record(i, 1);
  curve.work();
  CHECK(curve.stats().lost == 5);
  CHECK(curve.stats().sampled_one_in == 32);
  CHECK_FALSE(curve.takes(UINT64_MAX / 32));
}

TEST_CASE("a store records what hits and what is stored for the first time, for some keys") {
  Store store(64 * kMiB, 1);
  const PurgeTable purges;
  std::uint64_t taken = 0;
  for (int i = 0; i < 2'000; ++i) {
    const OwnedKey key("shop", "/" + std::to_string(i));
    taken += store.miss_curve().takes(key.key().hash.high);
    store.find(key.key(), {}, purges);  // nothing there
    store.insert(key.key(), {}, make_response(key.key(), {}, "body"));
    store.insert(key.key(), {}, make_response(key.key(), {}, "again"));  // as after a 304
    store.find(key.key(), {}, purges);
  }
  store.miss_curve().work();
  const MissCurveStats stats = store.miss_curve().stats();
  CHECK(taken > 50);
  CHECK(stats.sampled == 2 * taken);
  CHECK(stats.misses[2] == stats.requests / 2);
}

TEST_CASE("samples from many threads arrive whole, each thread's in order") {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kEach = 10'000;
  SampleRing ring;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&ring, t] {
      for (std::uint64_t i = 0; i < kEach; ++i)
        while (!ring.push({.id = t << 32 | i, .bytes = ~(t << 32 | i)})) std::this_thread::yield();
    });
  std::vector<std::uint64_t> next(kThreads, 0);
  bool whole = true;
  for (std::uint64_t popped = 0; popped < kThreads * kEach;) {
    SampleRing::Sample sample;
    if (!ring.pop(sample)) {
      std::this_thread::yield();
      continue;
    }
    ++popped;
    whole =
        whole && sample.bytes == ~sample.id && (sample.id & UINT32_MAX) == next[sample.id >> 32]++;
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(whole);
}

TEST_CASE("the thread that works on the curve ends when it is told to") {
  MissCurve curve(Policy::Kind::S3Fifo, kMiB, 100);
  { const CurveThread thread(curve); }
  CHECK(curve.stats().sampled == 0);
}
