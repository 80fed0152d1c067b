// SPDX-License-Identifier: MIT
// The product's policies against independent descriptions of them, over synthetic traces.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "appliance/cache/simulate/generator.h"
#include "appliance/cache/simulate/simulation.h"
#include "tests/support/reference_policies.h"

using headgate::cache::kEveryPolicy;
using headgate::cache::key_of;
using headgate::cache::Policy;
using headgate::cache::Simulation;
using headgate::cache::trace_hash;
using headgate::cache::TraceGenerator;
using namespace headgate::test;

namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

struct Use {
  std::uint64_t key, size;
};

struct Trace {
  std::string name;
  std::vector<Use> uses;
  std::vector<std::uint64_t> sizes;  ///< of caches to try
};

Trace make_trace(std::string name, std::vector<std::uint64_t> sizes,
                 const TraceGenerator::Options& options) {
  Trace trace{std::move(name), {}, std::move(sizes)};
  for (TraceGenerator generator(options); !generator.done();) {
    const auto request = generator.next();
    trace.uses.push_back({trace_hash(key_of(request)), request.size_bytes});
  }
  return trace;
}

TraceGenerator::Options popular() {
  TraceGenerator::Options options;
  options.requests = 200'000;
  options.objects = 20'000;
  return options;
}

TraceGenerator::Options equal_sizes() {
  TraceGenerator::Options options = popular();
  options.seed = 2;
  options.zipf = 0.7;
  options.median_size = 1;
  options.sigma = 0;
  return options;
}

TraceGenerator::Options changing() {
  TraceGenerator::Options options = popular();
  options.seed = 3;
  options.scan_every = 40'000;
  options.scan_length = 5'000;
  options.lifetime = 100'000;
  return options;
}

/// Software and films: up to 64 MiB.
TraceGenerator::Options downloads() {
  TraceGenerator::Options options = popular();
  options.seed = 4;
  options.objects = 5'000;
  options.median_size = static_cast<double>(2 * kMiB);
  options.max_size = 64 * kMiB;
  return options;
}

std::vector<Trace> traces() {
  return {make_trace("popular", {32 * kMiB, 256 * kMiB}, popular()),
          make_trace("equal sizes", {500, 4'000}, equal_sizes()),
          make_trace("changing", {32 * kMiB, 256 * kMiB}, changing()),
          make_trace("downloads", {1 * kGiB, 4 * kGiB}, downloads())};
}

Simulation::Totals simulate(const Trace& trace, const Simulation::Options& options) {
  Simulation simulation(options);
  for (const Use& use : trace.uses) simulation.use(use.key, use.size);
  return simulation.totals();
}

template <class Reference>
Reference refer(const Trace& trace, std::uint64_t capacity) {
  Reference reference(capacity);
  for (const Use& use : trace.uses) reference.use(use.key, use.size);
  return reference;
}

/// Whatever the generator can make: popularity, sizes, scans and lifetimes of every kind.
TraceGenerator::Options any_trace(std::mt19937_64& random) {
  const auto below = [&random](std::uint64_t limit) { return random() % limit; };
  TraceGenerator::Options options;
  options.seed = random();
  options.requests = 40'000;
  options.objects = 1'000 + below(30'000);
  options.zipf = 0.5 + static_cast<double>(below(80)) / 100;
  options.median_size = static_cast<double>(std::uint64_t{1} << below(22));
  options.sigma = below(3) == 0 ? 0 : static_cast<double>(below(30)) / 10;  // or all alike
  options.max_size = static_cast<std::uint64_t>(options.median_size) << (2 + below(8));
  if (below(2) == 0) {
    options.scan_every = 10'000 + below(50'000);
    options.scan_length = below(8'000);
  }
  if (below(2) == 0) options.lifetime = 20'000 + below(200'000);
  return options;
}

Simulation::Options options_of(Policy::Kind policy, std::uint64_t capacity) {
  Simulation::Options options;
  options.policy = policy;
  options.capacity_bytes = capacity;
  return options;
}

void check_against_published(const Trace& trace, std::uint64_t capacity) {
  CAPTURE(trace.name);
  CAPTURE(capacity);
  const auto s3fifo = simulate(trace, options_of(Policy::Kind::S3Fifo, capacity));
  const auto published = refer<ReferenceS3Fifo>(trace, capacity);
  CHECK(std::abs(s3fifo.object_miss_ratio() - published.object_miss_ratio()) <= 0.002);
  CHECK(std::abs(s3fifo.byte_miss_ratio() - published.byte_miss_ratio()) <= 0.002);
  const auto lru = simulate(trace, options_of(Policy::Kind::Lru, capacity));
  const auto plain = refer<ReferenceLru>(trace, capacity);
  CHECK(lru.missed_requests == plain.misses);
  CHECK(lru.missed_bytes == plain.missed_bytes);
  const auto gdsf = simulate(trace, options_of(Policy::Kind::Gdsf, capacity));
  const auto by_worth = refer<ReferenceGdsf>(trace, capacity);
  CHECK(std::abs(gdsf.object_miss_ratio() - by_worth.object_miss_ratio()) <= 0.002);
  CHECK(std::abs(gdsf.byte_miss_ratio() - by_worth.byte_miss_ratio()) <= 0.002);
}

void check_shards_cost_nothing(const Trace& trace, std::uint64_t capacity) {
  for (const Policy::Kind policy : kEveryPolicy) {
    CAPTURE(trace.name);
    CAPTURE(capacity);
    CAPTURE(name_of(policy));
    auto options = options_of(policy, capacity);
    const auto alone = simulate(trace, options);
    options.shards = 16;
    const auto sharded = simulate(trace, options);
    CHECK(std::abs(sharded.object_miss_ratio() - alone.object_miss_ratio()) <= 0.002);
  }
}

}  // namespace

TEST_CASE("each policy misses what its authors' algorithm misses, within 0.002") {
  for (const Trace& trace : traces())
    for (const std::uint64_t size : trace.sizes) check_against_published(trace, size);
}

TEST_CASE("each policy misses what its authors' algorithm misses on any trace, in any shards") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 6; ++i) {
    const TraceGenerator::Options options = any_trace(random);
    const Trace trace = make_trace(fmt::format("random {}", i), {}, options);
    std::uint64_t bytes = 0;
    for (const Use& use : trace.uses) bytes += use.size;
    // From less than one of its larger objects to most of what is asked for.
    for (const std::uint64_t divisor : {3000, 200, 20}) {
      const std::uint64_t capacity = std::max<std::uint64_t>(bytes / divisor, 100);
      check_against_published(trace, capacity);
      check_shards_cost_nothing(trace, capacity);
    }
  }
}

TEST_CASE("chunks of 1 MiB cost at most 0.003 of requests and octets, and sixteen shards nothing") {
  for (const Trace& trace : traces())
    for (const std::uint64_t size : trace.sizes) {
      if (size < 32 * kMiB) continue;  // too small for chunks
      for (const Policy::Kind policy : kEveryPolicy) {
        CAPTURE(trace.name);
        CAPTURE(size);
        CAPTURE(name_of(policy));
        // Among few chunks, those of a large object push out each other before it is whole.
        const bool few_chunks = policy == Policy::Kind::Gdsf && size < 40 * kMiB;
        auto options = options_of(policy, size);
        const auto whole = simulate(trace, options);
        options.shards = 16;
        options.chunk_bytes = kMiB;
        const auto chunked = simulate(trace, options);
        options.shards = 1;
        const auto alone = simulate(trace, options);
        CHECK(chunked.object_miss_ratio() <= whole.object_miss_ratio() + 0.003);
        CHECK(std::abs(chunked.object_miss_ratio() - alone.object_miss_ratio()) <= 0.0005);
        if (few_chunks) continue;
        CHECK(chunked.byte_miss_ratio() <= whole.byte_miss_ratio() + 0.003);
        CHECK(std::abs(chunked.byte_miss_ratio() - alone.byte_miss_ratio()) <= 0.0005);
      }
    }
}

TEST_CASE("a request misses the octets of the chunks that are not there, and counts once") {
  Simulation::Options options = options_of(Policy::Kind::Lru, 4 * kMiB);
  options.chunk_bytes = kMiB;
  Simulation simulation(options);
  CHECK_FALSE(simulation.use(trace_hash("film"), 3 * kMiB + 1));
  CHECK(simulation.entries() == 4);
  CHECK(simulation.resident_bytes() == 3 * kMiB + 1);
  CHECK(simulation.use(trace_hash("film"), 3 * kMiB + 1));
  CHECK_FALSE(simulation.use(trace_hash("song"), kMiB));  // the film's first chunk goes
  // The first chunk is fetched again, and throws the second one out before that is asked for.
  CHECK_FALSE(simulation.use(trace_hash("film"), 2 * kMiB));
  const auto& totals = simulation.totals();
  CHECK(totals.requests == 4);
  CHECK(totals.missed_requests == 3);
  CHECK(totals.missed_bytes == 3 * kMiB + 1 + kMiB + 2 * kMiB);
}

TEST_CASE("what is larger than the cache is not admitted and throws nothing out") {
  Simulation simulation(options_of(Policy::Kind::S3Fifo, 100));
  simulation.use(1, 60);
  CHECK_FALSE(simulation.use(2, 101));
  CHECK(simulation.totals().not_admitted == 1);
  CHECK(simulation.use(1, 60));
}
