// SPDX-License-Identifier: MIT
// The one budget of the RAM tier, shared by its shards. Internal to appliance/cache.
#pragma once

#include <atomic>
#include <cstdint>

namespace headgate::cache {

/// What is resident (can be found), the index (tables and ghosts) and what is incoming (kept of
/// fetches under way) share `limit`. An insertion never makes their sum exceed it; what else grows
/// takes room from what is resident: see `overdrawn`. Threads: any.
class Budget {
 public:
  explicit Budget(std::uint64_t limit) : limit_(limit) {}

  bool try_reserve(std::uint64_t bytes) {
    std::uint64_t resident = resident_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t after = resident + bytes;
      if (after > room()) return false;
      if (resident_.compare_exchange_weak(resident, after, std::memory_order_relaxed)) return true;
    }
  }
  void release(std::uint64_t bytes) { resident_.fetch_sub(bytes, std::memory_order_relaxed); }
  /// Tables grow when they must; what is resident then shrinks by the next insertions.
  void index_changed(std::uint64_t from, std::uint64_t to) {
    index_.fetch_add(to - from, std::memory_order_relaxed);
  }
  void incoming_changed(std::uint64_t from, std::uint64_t to) {
    incoming_.fetch_add(to - from, std::memory_order_relaxed);
  }

  std::uint64_t limit() const { return limit_; }
  std::uint64_t resident() const { return resident_.load(std::memory_order_relaxed); }
  std::uint64_t index() const { return index_.load(std::memory_order_relaxed); }
  std::uint64_t incoming() const { return incoming_.load(std::memory_order_relaxed); }
  /// What may be resident at present.
  std::uint64_t room() const {
    const std::uint64_t others = index() + incoming();
    return others < limit_ ? limit_ - others : 0;
  }
  bool overdrawn() const { return resident() > room(); }

  /// Of resident entries: their number, and the part of their octets that lives on when they are
  /// evicted while being sent.
  std::atomic<std::uint64_t> objects{0};
  std::atomic<std::uint64_t> payload{0};

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> resident_{0};
  std::atomic<std::uint64_t> index_{0};
  std::atomic<std::uint64_t> incoming_{0};
};

}  // namespace headgate::cache
