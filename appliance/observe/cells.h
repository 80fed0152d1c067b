// SPDX-License-Identifier: MIT
// The cells that workers add to, and what the registry keeps of them; internal to this folder.
//
// A cell has one writer, so adding is a relaxed load and a relaxed store: no locked instruction, no
// cache line that two workers write. A scrape may see one cell of a request and not yet another;
// sums that must agree (a histogram's count) are computed from the same cells.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/observe/metrics.h"

namespace headgate::observe {

inline constexpr std::size_t kMaxSlots = 4096;
inline constexpr std::size_t kSlotsPerChunk = 64;
inline constexpr std::size_t kChunks = kMaxSlots / kSlotsPerChunk;
inline constexpr std::size_t kOutcomes = static_cast<std::size_t>(CacheOutcome::kCount);
inline constexpr std::size_t kReasons = static_cast<std::size_t>(guard::Reason::kCount);
inline constexpr std::size_t kTransports = static_cast<std::size_t>(Transport::kCount);
inline constexpr std::size_t kQuicEvents = static_cast<std::size_t>(QuicEvent::kCount);
inline constexpr std::size_t kLimits = static_cast<std::size_t>(guard::Limit::kCount);
inline constexpr std::array<std::string_view, 6> kStatusClasses = {"none", "1xx", "2xx",
                                                                   "3xx",  "4xx", "5xx"};

/// Upper bounds in µs: from a hit in memory to an origin's time limit.
inline constexpr std::array<std::uint64_t, 18> kBucketsUs = {
    50,     100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};
inline constexpr std::array<std::string_view, 18> kBucketLabels = {
    "5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025",
    "0.05",  "0.1",    "0.25",    "0.5",    "1",     "2.5",    "5",     "10",   "30"};

/// One writer, many readers.
class Cell {
 public:
  void add(std::uint64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Two cache lines for each pair of distribution and behavior.
struct alignas(64) SlotCells {
  std::array<Cell, kStatusClasses.size()> statuses;
  std::array<Cell, kOutcomes> outcomes;
  Cell bytes_sent;
  Cell bytes_received;
};
static_assert(sizeof(SlotCells) == 128, "two cache lines");

struct Chunk {
  std::array<SlotCells, kSlotsPerChunk> slots;
};

struct Histogram {
  std::array<Cell, kBucketsUs.size() + 1> buckets;
  Cell sum_us;

  void observe(std::uint64_t us) {
    std::size_t bucket = 0;
    while (bucket < kBucketsUs.size() && us > kBucketsUs[bucket]) ++bucket;
    buckets[bucket].add(1);
    sum_us.add(us);
  }
};

/// All cells of one worker.
struct alignas(64) WorkerCells {
  WorkerCells() = default;
  WorkerCells(const WorkerCells&) = delete;
  WorkerCells& operator=(const WorkerCells&) = delete;
  ~WorkerCells() {
    for (auto& chunk : chunks) delete chunk.load(std::memory_order_relaxed);
  }

  /// Made by the worker when it first needs them; most edges need one chunk.
  SlotCells& slot(std::uint32_t number) {
    if (number >= kMaxSlots) number = 0;
    auto& place = chunks[number / kSlotsPerChunk];
    Chunk* chunk = place.load(std::memory_order_relaxed);
    if (chunk == nullptr) {
      chunk = new Chunk;
      place.store(chunk, std::memory_order_release);
    }
    return chunk->slots[number % kSlotsPerChunk];
  }
  const SlotCells* find_slot(std::size_t number) const {
    const Chunk* const chunk = chunks[number / kSlotsPerChunk].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &chunk->slots[number % kSlotsPerChunk];
  }

  std::array<std::atomic<Chunk*>, kChunks> chunks{};
  Histogram duration;
  Histogram time_to_first_byte;
  std::array<Cell, kReasons> denied;
  Cell aborted;
  std::array<Cell, http::kCodings> compressed_responses;
  std::array<Cell, http::kCodings> compression_saved_bytes;
  std::array<Cell, kTransports> connections_opened;
  std::array<Cell, kQuicEvents> quic_events;
  Cell connections_closed;
  Cell tls_handshakes_failed;
  std::array<Cell, kLimits> limits_exceeded;
  Cell malformed_requests;
  Cell origin_requests;
  Cell origin_requests_ended;
  Cell origin_requests_failed;
};

struct WorkerMetrics::Cells final : WorkerCells {};

struct Metrics::Impl {
  using SlotName = std::pair<std::string, std::string>;  ///< distribution, behavior
  using Collector = std::function<std::vector<Family>()>;

  mutable base::Mutex mutex;
  std::vector<std::unique_ptr<WorkerMetrics>> workers GUARDED_BY(mutex);
  std::map<SlotName, std::uint32_t> slots GUARDED_BY(mutex);
  std::vector<SlotName> names GUARDED_BY(mutex);  ///< by slot; the first is "other"
  std::vector<Collector> collectors GUARDED_BY(mutex);
};

}  // namespace headgate::observe
