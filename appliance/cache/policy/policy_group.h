// SPDX-License-Identifier: MIT
// What makes the policies of many shards evict as one policy over all of them would.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "appliance/base/mutex.h"
#include "appliance/cache/policy/ghost_queue.h"
#include "appliance/cache/policy/policy.h"

namespace headgate::cache {

/// Each shard has a policy of its own; which entry goes next is decided among all: the one that has
/// been in its queue for longest, or is worth least. So the hash that spreads keys over shards does
/// not decide what is forgotten. What has gone is remembered together, too. Members are numbered as
/// their shards. Threads: any; a member's places are set by who holds its shard.
class PolicyGroup {
 public:
  /// New: of entries that have yet to prove themselves; policies without such use Proven only.
  enum Queue : std::uint8_t { kNew, kProven };
  static constexpr std::uint64_t kEmpty = UINT64_MAX;
  enum Recalled : std::uint8_t { kNotAsked, kForgotten, kRemembered };  ///< Entry::recalled

  /// `options`: of all members together.
  PolicyGroup(std::size_t members, const Policy::Options& options)
      : members_(members),
        capacity_bytes_(options.capacity_bytes),
        places_(std::make_unique<Place[]>(members)),
        ghosts_(options.capacity_bytes / 10 * 9, options.max_ghosts) {}

  std::size_t members() const { return members_; }
  std::uint64_t capacity_bytes() const { return capacity_bytes_; }

  /// A number for who enters a queue now; each is greater than those before.
  std::uint64_t next_turn() { return turn_.fetch_add(1, std::memory_order_relaxed); }
  /// The number that `next_turn` would give: cheaper, and not unique.
  std::uint64_t turn() const { return turn_.load(std::memory_order_relaxed); }

  /// Enough of a turn for entries that are older by less than 2^32 turns; others count as younger
  /// than they are.
  static std::uint32_t short_turn(std::uint64_t turn) { return static_cast<std::uint32_t>(turn); }
  std::uint64_t full_turn(std::uint32_t short_turn) const {
    const std::uint64_t now = turn();
    return now - static_cast<std::uint32_t>(static_cast<std::uint32_t>(now) - short_turn);
  }

  /// `turn`: of the member's oldest entry in the queue, or whatever else orders those that may go
  /// next among the members: the least is the next, of equals that with the least `among_equals`.
  /// kEmpty without any.
  void set_oldest(std::size_t member, Queue queue, std::uint64_t turn,
                  std::uint32_t among_equals = 0) {
    places_[member].oldest[queue].store(turn, std::memory_order_relaxed);
    places_[member].among_equals[queue].store(among_equals, std::memory_order_relaxed);
  }
  /// The member whose entry in the queue is the next; `members()` when the queue is empty in all.
  std::size_t oldest(Queue queue) const {
    std::size_t found = members_;
    std::uint64_t least = kEmpty;
    std::uint32_t least_among_equals = 0;
    for (std::size_t i = 0; i < members_; ++i) {
      const std::uint64_t turn = places_[i].oldest[queue].load(std::memory_order_relaxed);
      if (turn > least || turn == kEmpty) continue;
      const std::uint32_t among_equals =
          places_[i].among_equals[queue].load(std::memory_order_relaxed);
      if (turn == least && among_equals >= least_among_equals) continue;
      least = turn;
      least_among_equals = among_equals;
      found = i;
    }
    return found;
  }

  /// Octets in the queue of all members.
  std::uint64_t bytes(Queue queue) const { return bytes_[queue].load(std::memory_order_relaxed); }
  void bytes_changed(Queue queue, std::uint64_t from, std::uint64_t to) {
    bytes_[queue].fetch_add(to - from, std::memory_order_relaxed);
  }

  /// From which queue the next one goes, of entries that may take `capacity_bytes` in all: the
  /// proven ones have nine tenths. The other one when that is empty.
  Queue next_queue(std::uint64_t capacity_bytes) const {
    const bool from_new = bytes(kProven) <= capacity_bytes - capacity_bytes / 10;
    const Queue queue = from_new ? kNew : kProven;
    return oldest(queue) < members_ ? queue : from_new ? kProven : kNew;
  }

  void add_ghost(const Policy::Entry& entry) {
    const base::MutexLock lock(ghosts_mutex_);
    ghosts_.add(entry.fingerprint, entry.charge);
    ghost_memory_.store(ghosts_.memory_bytes(), std::memory_order_relaxed);
  }
  /// Whether its ghost was there, which then no longer is; asked once for an entry, and the answer
  /// kept in it until it is inserted. To be asked before room is made for the entry: what goes for
  /// it becomes a ghost, and may push out this one.
  bool recall(Policy::Entry& entry) {
    if (entry.recalled == kNotAsked) {
      const base::MutexLock lock(ghosts_mutex_);
      entry.recalled = ghosts_.take(entry.fingerprint) ? kRemembered : kForgotten;
    }
    return entry.recalled == kRemembered;
  }
  std::uint64_t ghost_memory_bytes() const { return ghost_memory_.load(std::memory_order_relaxed); }

  /// What the entry was worth that was worth most of those that have gone.
  double age() const { return age_.load(std::memory_order_relaxed); }
  void raise_age(double to) {
    double age = this->age();
    while (age < to && !age_.compare_exchange_weak(age, to, std::memory_order_relaxed)) {
    }
  }

  bool has_evicted() const { return has_evicted_.load(std::memory_order_relaxed); }
  void note_eviction() { has_evicted_.store(true, std::memory_order_relaxed); }

 private:
  struct alignas(64) Place {
    std::array<std::atomic<std::uint64_t>, 2> oldest{kEmpty, kEmpty};
    std::array<std::atomic<std::uint32_t>, 2> among_equals{};
  };

  const std::size_t members_;
  const std::uint64_t capacity_bytes_;
  const std::unique_ptr<Place[]> places_;
  std::atomic<std::uint64_t> turn_{0};
  std::array<std::atomic<std::uint64_t>, 2> bytes_{};
  std::atomic<bool> has_evicted_{false};
  std::atomic<double> age_{0};
  base::Mutex ghosts_mutex_;  ///< after a shard's
  GhostQueue ghosts_ GUARDED_BY(ghosts_mutex_);
  std::atomic<std::uint64_t> ghost_memory_{0};
};

}  // namespace headgate::cache
