// SPDX-License-Identifier: MIT
// What the RAM tier costs: look-ups, entries, purges, and the spread of one fetch to 1,000 readers.
// Prints JSON for `./dev bench cache`.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "appliance/cache/store/store.h"
#include "tests/support/cache_fixture.h"
#include "tests/support/test_loop.h"

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace headgate;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

/// Of the processor, not of the wall: what others do on the machine counts less.
double thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

constexpr std::size_t kHits = 1'000'000;

/// A store with so many small responses.
struct Filled {
  Filled(std::size_t objects, std::uint64_t budget_bytes, cache::Policy::Kind policy)
      : store(budget_bytes, 4, policy) {
    keys.reserve(objects);
    for (std::size_t i = 0; i < objects; ++i)
      keys.emplace_back("shop", "/products/" + std::to_string(i) + ".html");
    for (const test::OwnedKey& key : keys) hashed.push_back(key.key());
    for (std::size_t i = 0; i < objects; ++i) insert(i);
  }

  void insert(std::size_t i) {
    // As h2o hands them over, and enough of them to be looked through for Vary.
    static const std::vector<http::Field> kFields = {{"content-type", "text/html"},
                                                     {"cache-control", "max-age=3600"},
                                                     {"etag", "\"0123456789abcdef\""}};
    static const std::string kBody(1024, 'x');
    store.insert(hashed[i], {}, test::make_response(hashed[i], kFields, kBody));
  }

  /// Nanoseconds of processor a look-up. Skewed towards few keys, as requests are; what misses is
  /// stored.
  double run(std::uint32_t seed, std::size_t* misses = nullptr) {
    std::mt19937 random(seed);
    std::vector<std::uint32_t> order(1 << 16);
    for (std::uint32_t& index : order) {
      const double u = static_cast<double>(random()) / 4294967296.0;
      index = static_cast<std::uint32_t>(u * u * u * static_cast<double>(keys.size()));
    }
    std::size_t missed = 0;
    const double start = thread_cpu_ns();
    for (std::size_t i = 0; i < kHits; ++i) {
      const std::uint32_t index = order[i & (order.size() - 1)];
      if (store.find(hashed[index], {}, purges).response) continue;
      ++missed;
      insert(index);
    }
    const double took = thread_cpu_ns() - start;
    if (misses != nullptr) *misses = missed;
    return took / static_cast<double>(kHits);
  }

  cache::Store store;
  cache::PurgeTable purges;
  std::vector<test::OwnedKey> keys;
  std::vector<cache::Key> hashed;
};

Json bench_lookups(cache::Policy::Kind policy) {
  Filled all(100'000, std::uint64_t{1} << 30, policy);
  all.run(0);
  const std::uint64_t before = allocations;
  const double one = all.run(1);
  const std::uint64_t during = allocations - before;
  double two[2] = {};
  std::thread other([&] { two[0] = all.run(2); });
  two[1] = all.run(3);
  other.join();
  const auto stats = all.store.stats();
  const auto objects = static_cast<double>(stats.objects);

  // Room for a part of them only: some look-ups miss, store and evict.
  Filled most(100'000, std::uint64_t{110} << 20, policy);
  most.run(4);
  std::size_t misses = 0;
  const double mixed = most.run(5, &misses);
  return {
      {"policy", cache::name_of(policy)},
      {"hitsPerCpuSecond", std::round(1e9 / one)},
      {"hitsPerCpuSecondOfTwoThreads", std::round(2e9 / (two[0] + two[1]))},
      {"allocationsPerHit", static_cast<double>(during) / static_cast<double>(kHits)},
      {"octetsBeyondBody",
       std::round(static_cast<double>(stats.resident_bytes + stats.index_bytes) / objects) - 1024},
      {"mixedPerCpuSecond", std::round(1e9 / mixed)},
      {"mixedMissRatio", static_cast<double>(misses) / static_cast<double>(kHits)}};
}

/// From an invalidation to the look-up that obeys it, without the journal's fsync.
Json bench_purges(std::size_t objects) {
  Filled filled(objects, std::uint64_t{2} << 30, cache::Policy::Kind::S3Fifo);
  std::vector<double> took;
  bool obeyed = true;
  for (std::uint64_t epoch = 1; epoch <= 200; ++epoch) {
    const std::size_t index = epoch * 37 % objects;
    const auto start = Clock::now();
    // The next table is made anew from the present one, as an activation does.
    cache::PurgeTable next = filled.purges;
    next.add("shop", {filled.keys[index].path}, cache::PurgeMode::Delete, epoch);
    filled.purges = std::move(next);
    const auto found = filled.store.find(filled.hashed[index], {}, filled.purges);
    took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    obeyed = obeyed && !found.response;
  }
  return {{"objects", objects},
          {"p50Us", percentile(took, 0.5)},
          {"p99Us", percentile(took, 0.99)},
          {"allObeyed", obeyed}};
}

/// Notes when each piece of a body reached it.
class Reader {
 public:
  Reader(const base::Ref<cache::Body>& body, base::Loop& loop, std::size_t piece_bytes)
      : piece_bytes_(piece_bytes),
        reader_(std::make_unique<cache::BodyReader>(body, loop, [this] { read(); })) {}

  void read() {
    bool last = false;
    for (;;) {
      slices_.clear();
      const auto status = reader_->read(SIZE_MAX, 16, slices_, last);
      if (status != cache::BodyReader::Status::Data) return finish(status);
      for (const std::string_view slice : slices_) octets_ += slice.size();
      while (arrivals.size() < octets_ / piece_bytes_) arrivals.push_back(Clock::now());
    }
  }

  std::vector<Clock::time_point> arrivals;
  std::atomic<bool> ended{false};

 private:
  void finish(cache::BodyReader::Status status) {
    if (status == cache::BodyReader::Status::Wait) return;
    reader_.reset();
    ended = true;
  }

  const std::size_t piece_bytes_;
  std::size_t octets_ = 0;
  std::vector<std::string_view> slices_;
  std::unique_ptr<cache::BodyReader> reader_;
};

/// One fetch of 100 pieces of 64 KiB, 2 ms apart, 1,000 readers on eight loops: from a piece's
/// coming to a reader's having it.
Json bench_fill() {
  constexpr std::size_t kReaders = 1'000;
  constexpr std::size_t kLoops = 8;
  constexpr std::size_t kPieces = 100;
  const std::string piece(64 * 1024, 'x');
  const auto body = base::make_ref<cache::Body>(cache::Body::Keep::All, kPieces * piece.size());
  std::deque<std::unique_ptr<Reader>> readers;
  std::vector<Clock::time_point> sent;
  {
    test::ThreadLoop producer;
    std::vector<std::unique_ptr<test::ThreadLoop>> loops;
    for (std::size_t i = 0; i < kLoops; ++i) loops.push_back(std::make_unique<test::ThreadLoop>());
    for (std::size_t i = 0; i < kReaders; ++i) {
      test::ThreadLoop& loop = *loops[i % kLoops];
      loop.run_and_wait([&] {
        readers.push_back(std::make_unique<Reader>(body, loop, piece.size()));
        readers.back()->read();
      });
    }
    for (std::size_t i = 0; i < kPieces; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      producer.run_and_wait([&] {
        sent.push_back(Clock::now());
        static_cast<void>(body->append(piece));
      });
    }
    producer.run_and_wait([&] { body->finish(); });
    for (const auto& reader : readers)
      while (!reader->ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::vector<double> delays;
  for (const auto& reader : readers)
    for (std::size_t i = 0; i < reader->arrivals.size(); ++i)
      delays.push_back(
          std::chrono::duration<double, std::milli>(reader->arrivals[i] - sent[i]).count());
  return {{"readers", kReaders},
          {"loops", kLoops},
          {"piecesRead", delays.size()},
          {"p50Ms", percentile(delays, 0.5)},
          {"p99Ms", percentile(delays, 0.99)}};
}

}  // namespace

int main() {
  Json lookups = Json::array();
  for (const cache::Policy::Kind policy : cache::kEveryPolicy)
    lookups.push_back(bench_lookups(policy));
  const Json results = {{"lookups", std::move(lookups)},
                        {"purges", {bench_purges(20'000), bench_purges(400'000)}},
                        {"fill", bench_fill()}};
  fmt::print("{}\n", results.dump(2));
  return 0;
}
