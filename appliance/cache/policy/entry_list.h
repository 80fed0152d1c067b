// SPDX-License-Identifier: MIT
// A queue of entries, linked in place, that knows how many octets they charge.
#pragma once

#include <cstddef>
#include <cstdint>

#include "appliance/cache/policy/policy.h"
#include "appliance/cache/policy/policy_group.h"

namespace headgate::cache {

/// One member's part of a queue of its group, which it keeps informed. Threads: none of its own.
class EntryList {
 public:
  EntryList(PolicyGroup& group, std::size_t member, PolicyGroup::Queue queue)
      : group_(group), member_(member), queue_(queue) {}

  /// `turn`: PolicyGroup's; not less than those in the list.
  void push(Policy::Entry& entry, std::uint64_t turn) {
    append(entry, turn);
    group_.bytes_changed(queue_, 0, entry.charge);
    bytes_ += entry.charge;
    ++size_;
  }
  void unlink(Policy::Entry& entry) {
    take_out(entry);
    group_.bytes_changed(queue_, entry.charge, 0);
    bytes_ -= entry.charge;
    --size_;
  }
  /// Of one that is in the list: now it is the newest. Writes nothing that members share.
  void renew(Policy::Entry& entry, std::uint64_t turn) {
    take_out(entry);
    append(entry, turn);
  }
  /// Null when there is none.
  Policy::Entry* oldest() const { return oldest_; }
  std::uint64_t bytes() const { return bytes_; }
  std::size_t size() const { return size_; }

 private:
  void append(Policy::Entry& entry, std::uint64_t turn) {
    entry.links = {.newer = nullptr, .older = newest_};
    entry.turn = PolicyGroup::short_turn(turn);
    (newest_ != nullptr ? newest_->links.newer : oldest_) = &entry;
    newest_ = &entry;
    if (oldest_ == &entry) group_.set_oldest(member_, queue_, turn);
  }
  void take_out(Policy::Entry& entry) {
    const Policy::Entry::Links links = entry.links;
    (links.newer != nullptr ? links.newer->links.older : newest_) = links.older;
    (links.older != nullptr ? links.older->links.newer : oldest_) = links.newer;
    if (links.older == nullptr)
      group_.set_oldest(member_, queue_,
                        oldest_ != nullptr ? group_.full_turn(oldest_->turn) : PolicyGroup::kEmpty);
    entry.links = {};
  }

  PolicyGroup& group_;
  const std::size_t member_;
  const PolicyGroup::Queue queue_;
  Policy::Entry* newest_ = nullptr;
  Policy::Entry* oldest_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::size_t size_ = 0;
};

}  // namespace headgate::cache
