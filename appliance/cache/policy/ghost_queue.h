// SPDX-License-Identifier: MIT
// What has lately gone, remembered by fingerprint: who comes back from there has been missed.
#pragma once

#include <cstdint>
#include <vector>

#include "appliance/cache/policy/flat_table.h"

namespace headgate::cache {

/// Fingerprints of keys in order of their eviction. Threads: none of its own.
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

}  // namespace headgate::cache
