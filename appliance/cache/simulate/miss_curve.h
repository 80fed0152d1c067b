// SPDX-License-Identifier: MIT
// The live miss-ratio curve: what the cache would miss at half, the same and twice its size.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "appliance/base/mutex.h"
#include "appliance/cache/policy/policy.h"
#include "appliance/cache/simulate/sample_ring.h"
#include "appliance/cache/simulate/simulation.h"

namespace headgate::cache {

/// Estimates, since the start; of look-ups that found something or were followed by storing it.
struct MissCurveStats {
  static constexpr std::array<double, 3> kScales = {0.5, 1, 2};  ///< of the cache's size
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, kScales.size()> misses{};
  std::array<std::uint64_t, kScales.size()> missed_bytes{};
  std::uint64_t sampled = 0;         ///< of the requests, those that were looked at
  std::uint64_t sampled_one_in = 0;  ///< keys, now
  std::uint64_t lost = 0;            ///< samples that came faster than they were looked at
};

/// Small copies of the cache, by the same policy, see those requests whose key's hash is below a
/// limit, and are smaller in the same proportion (Waldspurger et al., "Cache modeling and
/// optimization using miniature simulations", USENIX ATC 2017). The limit falls when they hold too
/// much (SHARDS, FAST 2015), so that their memory is bounded. What expires or is purged still
/// counts as there: these are the misses that size decides.
/// Threads: `takes` and `record` from any, without a lock; the rest from any, and they wait for
/// each other.
class MissCurve {
 public:
  /// `max_entries`: of the largest copy.
  MissCurve(Policy::Kind policy, std::uint64_t capacity_bytes, std::size_t max_entries);
  ~MissCurve();

  /// Whether requests for keys of this hash are recorded.
  bool takes(std::uint64_t hash) const { return hash < limit_.load(std::memory_order_relaxed); }
  /// `id`: of key and variant, in place of the hash whose `takes` was asked, with the same upper 32
  /// bits. `object_bytes`: as Policy::on_insert.
  void record(std::uint64_t id, std::uint64_t bytes, std::uint64_t object_bytes = 0) {
    if (!ring_.push({.id = id, .bytes = bytes, .object_bytes = object_bytes}))
      lost_.fetch_add(1, std::memory_order_relaxed);
  }

  /// Looks at what was recorded.
  void work();
  MissCurveStats stats() const;

 private:
  void look_at(const SampleRing::Sample& sample) REQUIRES(mutex_);
  void halve() REQUIRES(mutex_);

  const std::uint64_t capacity_bytes_;
  const std::size_t max_entries_;
  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint64_t> lost_{0};
  SampleRing ring_;
  mutable base::Mutex mutex_;
  std::array<std::unique_ptr<Simulation>, MissCurveStats::kScales.size()> copies_
      GUARDED_BY(mutex_);
  std::uint64_t one_in_ GUARDED_BY(mutex_);
  std::uint64_t lost_before_ GUARDED_BY(mutex_) = 0;
  MissCurveStats stats_ GUARDED_BY(mutex_);
};

}  // namespace headgate::cache
