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
#include "appliance/observe/tally.h"

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

/// What a Tally is made of.
struct alignas(64) TallyCells {
  Cell requests;
  Cell errors;
  Cell origin_errors;
  Cell blocks;
  std::array<Cell, kBuckets> first_octet;
};
static_assert(sizeof(TallyCells) == 192, "three cache lines");

/// Cells for each pair of distribution and behavior, made by the worker when it first needs them;
/// most edges need one chunk.
template <class T>
class SlotTable {
 public:
  SlotTable() = default;
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;
  ~SlotTable() {
    for (auto& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
  }

  T& slot(std::uint32_t number) {
    if (number >= kMaxSlots) number = 0;
    auto& place = chunks_[number / kSlotsPerChunk];
    Chunk* chunk = place.load(std::memory_order_relaxed);
    if (chunk == nullptr) {
      chunk = new Chunk;
      place.store(chunk, std::memory_order_release);
    }
    return chunk->slots[number % kSlotsPerChunk];
  }
  const T* find_slot(std::size_t number) const {
    const Chunk* const chunk = chunks_[number / kSlotsPerChunk].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &chunk->slots[number % kSlotsPerChunk];
  }

 private:
  struct Chunk {
    std::array<T, kSlotsPerChunk> slots;
  };
  std::array<std::atomic<Chunk*>, kChunks> chunks_{};
};

struct Histogram {
  std::array<Cell, kBuckets> buckets;
  Cell sum_us;

  void observe(std::uint64_t us) {
    buckets[bucket_of(us)].add(1);
    sum_us.add(us);
  }
};

/// All cells of one worker.
struct alignas(64) WorkerCells {
  SlotTable<SlotCells> slots;
  std::array<SlotTable<TallyCells>, kLanes> lanes;
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
