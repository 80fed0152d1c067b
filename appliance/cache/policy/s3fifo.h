// SPDX-License-Identifier: MIT
// S3-FIFO (Yang et al., SOSP 2023): which of the stored entries goes next. Knows sizes and uses,
// nothing of responses.
#pragma once

#include <cstdint>
#include <vector>

#include "appliance/cache/policy/flat_table.h"

namespace headgate::cache {

/// The keys lately evicted from the small queue, as fingerprints in order of their eviction.
class GhostQueue {
 public:
  GhostQueue(std::uint64_t capacity_bytes, std::uint32_t max_entries)
      : capacity_bytes_(capacity_bytes), max_entries_(max_entries) {}

  /// `charge`: of the entry that was evicted; together the ghosts stand for at most the capacity.
  void add(std::uint32_t fingerprint, std::uint64_t charge);
  /// Whether it was there; then it no longer is.
  bool take(std::uint32_t fingerprint);
  std::uint64_t memory_bytes() const;

 private:
  struct Ghost {
    std::uint64_t charge = 0;
    std::uint32_t fingerprint = 0;
  };
  void pop_oldest();
  void make_room();
  Ghost& at(std::uint64_t position) { return ring_[position & (ring_.size() - 1)]; }

  const std::uint64_t capacity_bytes_;
  const std::uint32_t max_entries_;
  std::vector<Ghost> ring_;  ///< a power of two long; positions [oldest_, next_) count on and on
  std::uint64_t oldest_ = 1;
  std::uint64_t next_ = 1;
  std::uint64_t bytes_ = 0;
  FlatTable<std::uint64_t>
      positions_;  ///< by fingerprint; that of its latest addition, not yet taken
};

/// Small queue (10 %), main queue (90 %, a clock of two bits), ghosts. New entries start in the
/// small queue, or in the main one when their ghost is still known; the small queue's end goes to
/// main when used at least `promote_at` times. Entries are owned by the caller and linked in place.
/// Fits a shard: no threads of its own.
class S3Fifo {
 public:
  enum class Queue : std::uint8_t { None, Small, Main };

  struct Entry {
    std::uint64_t charge = 0;       ///< octets; set before on_insert, not changed after
    std::uint32_t fingerprint = 0;  ///< of the key
    std::uint8_t frequency = 0;     ///< 0–3
    Queue queue = Queue::None;
    Entry* newer = nullptr;
    Entry* older = nullptr;
  };

  struct Options {
    std::uint64_t capacity_bytes = 0;
    std::uint32_t max_ghosts = 0;
    std::uint8_t promote_at = 2;
  };

  struct Stats {
    std::uint64_t small_bytes = 0;
    std::uint64_t main_bytes = 0;
    std::uint64_t ghost_memory_bytes = 0;
  };

  explicit S3Fifo(const Options& options);

  void on_insert(Entry& entry);
  /// The hit path: no list moves.
  static void on_hit(Entry& entry) {
    if (entry.frequency < 3) ++entry.frequency;
  }
  /// Puts `by` where a use of `old` would have left it: same queue, same frequency. `old` leaves.
  void on_replace(Entry& old, Entry& by);
  /// Left for another reason than eviction: no ghost remains.
  void on_remove(Entry& entry);
  /// Unlinks the entry to go; null when there is none.
  Entry* evict();

  Stats stats() const;

 private:
  struct List {
    Entry* newest = nullptr;
    Entry* oldest = nullptr;
    std::uint64_t bytes = 0;
  };
  List& list(const Entry& entry) { return entry.queue == Queue::Small ? small_ : main_; }
  void push(Queue queue, Entry& entry);
  void unlink(Entry& entry);
  Entry* evict_small();
  Entry* evict_main();

  const Options options_;
  const std::uint64_t small_capacity_;
  const std::uint64_t main_capacity_;
  List small_;
  List main_;
  GhostQueue ghosts_;
  bool has_evicted_ = false;
};

}  // namespace headgate::cache
