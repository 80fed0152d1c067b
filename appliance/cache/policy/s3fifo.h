// SPDX-License-Identifier: MIT
// S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "appliance/cache/policy/entry_list.h"
#include "appliance/cache/policy/policy.h"
#include "appliance/cache/policy/policy_group.h"

namespace headgate::cache {

/// Small queue (10 %), main queue (90 %, a clock of two bits), ghosts. New entries start in the
/// small queue, or in the main one when their ghost is still known; the small queue's end goes to
/// main when used at least twice. A use is counted, nothing moves. A group has these
/// queues as one: each shard has a part of them.
class S3Fifo final : public Policy {
 public:
  enum Queue : std::uint8_t { kNone, kSmall, kMain };  ///< Entry::queue

  S3Fifo(std::shared_ptr<PolicyGroup> group, std::size_t member);
  /// One that is alone.
  explicit S3Fifo(const Options& options);

  bool on_insert(Entry& entry, Entry* instead_of = nullptr,
                 std::uint64_t object_bytes = 0) override;
  void on_hit(Entry& entry) override {
    if (entry.uses < kMaxUses) ++entry.uses;
  }
  void on_remove(Entry& entry) override { unlink(entry); }
  Entry* evict(std::uint64_t capacity_bytes) override;
  Stats stats() const override;

 private:
  static constexpr unsigned kMaxUses = 3;
  static constexpr unsigned kPromoteAt = 2;

  EntryList& list(const Entry& entry) { return entry.queue == kSmall ? small_ : main_; }
  void push(Queue queue, Entry& entry);
  void unlink(Entry& entry);
  /// The oldest of the queue, which is not empty, when it goes; null when it stays.
  Entry* pass_small();
  Entry* pass_main();

  const std::shared_ptr<PolicyGroup> group_;
  const std::size_t member_;
  EntryList small_;
  EntryList main_;
};

}  // namespace headgate::cache
