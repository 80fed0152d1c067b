// SPDX-License-Identifier: MIT
// What a hit costs in the RAM tier: look-up, purge check, reference taken and dropped. Prints
// nanoseconds and allocations a hit.
#include <time.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "appliance/cache/store/store.h"
#include "tests/support/cache_fixture.h"

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace headgate;

/// Of the processor, not of the wall: what others do on the machine counts less.
double thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

constexpr std::size_t kObjects = 100'000;
constexpr std::size_t kHits = 2'000'000;

struct Bench {
  Bench() {
    // As h2o hands them over, and enough of them to be looked through for Vary.
    const std::vector<http::Field> fields = {{"content-type", "text/html"},
                                             {"cache-control", "max-age=3600"},
                                             {"etag", "\"0123456789abcdef\""}};
    const std::string body(1024, 'x');
    keys.reserve(kObjects);
    for (std::size_t i = 0; i < kObjects; ++i)
      keys.emplace_back("shop", "/products/" + std::to_string(i) + ".html");
    for (const test::OwnedKey& key : keys) {
      hashed.push_back(key.key());
      store.insert(hashed.back(), {}, test::make_response(hashed.back(), fields, body));
    }
  }

  /// Nanoseconds a hit of one thread. Skewed towards few keys, as requests are.
  double run(std::uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<std::uint32_t> order(1 << 16);
    for (std::uint32_t& index : order) {
      const double u = static_cast<double>(random()) / 4294967296.0;
      index = static_cast<std::uint32_t>(u * u * u * kObjects);
    }
    std::uint64_t misses = 0;
    const double start = thread_cpu_ns();
    for (std::size_t i = 0; i < kHits; ++i)
      misses += !store.find(hashed[order[i & (order.size() - 1)]], {}, purges).response;
    const double took = thread_cpu_ns() - start;
    if (misses != 0) std::printf("%llu misses\n", static_cast<unsigned long long>(misses));
    return took / static_cast<double>(kHits);
  }

  cache::Store store{std::uint64_t{1} << 30, 4};
  cache::PurgeTable purges;
  std::vector<test::OwnedKey> keys;
  std::vector<cache::Key> hashed;
};

}  // namespace

int main() {
  Bench bench;
  const auto stats = bench.store.stats();
  std::printf("%llu objects, %.0f octets each beyond 1024 of body\n",
              static_cast<unsigned long long>(stats.objects),
              static_cast<double>(stats.resident_bytes + stats.index_bytes) /
                      static_cast<double>(stats.objects) -
                  1024);
  bench.run(0);
  const std::uint64_t before = allocations;
  const double one = bench.run(1);
  const std::uint64_t during = allocations - before;
  std::printf("1 thread: %.0f ns a hit, %llu allocations in %zu hits\n", one,
              static_cast<unsigned long long>(during), kHits);
  double two[2] = {};
  std::thread other([&] { two[0] = bench.run(2); });
  two[1] = bench.run(3);
  other.join();
  std::printf("2 threads: %.0f ns a hit each\n", (two[0] + two[1]) / 2);
  return 0;
}
