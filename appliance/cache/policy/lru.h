// SPDX-License-Identifier: MIT
// LRU: what was used longest ago goes next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "appliance/cache/policy/entry_list.h"
#include "appliance/cache/policy/policy.h"

namespace headgate::cache {

class Lru final : public Policy {
 public:
  Lru(std::shared_ptr<PolicyGroup> group, std::size_t member)
      : group_(std::move(group)), member_(member), list_(*group_, member, PolicyGroup::kProven) {}

  bool on_insert(Entry& entry, Entry* instead_of, std::uint64_t /*object_bytes*/) override {
    if (instead_of != nullptr) list_.unlink(*instead_of);
    list_.push(entry, group_->next_turn());
    return false;
  }
  void on_hit(Entry& entry) override { list_.renew(entry, turn_of_hit()); }
  void on_remove(Entry& entry) override { list_.unlink(entry); }
  Entry* evict(std::uint64_t /*capacity_bytes*/) override {
    if (group_->oldest(PolicyGroup::kProven) != member_) return nullptr;
    Entry* entry = list_.oldest();
    list_.unlink(*entry);
    return entry;
  }
  Stats stats() const override { return {.resident_bytes = list_.bytes()}; }

 private:
  /// Hits in a member are told apart from those in others by the turn. As many as a 64th of its
  /// entries have one turn together: a small error, and hits write next to nothing that is shared.
  static constexpr std::size_t kTurnsOfList = 64;
  std::uint64_t turn_of_hit() {
    if (++hits_of_turn_ < list_.size() / kTurnsOfList) return group_->turn();
    hits_of_turn_ = 0;
    return group_->next_turn();
  }

  const std::shared_ptr<PolicyGroup> group_;
  const std::size_t member_;
  EntryList list_;
  std::size_t hits_of_turn_ = 0;
};

}  // namespace headgate::cache
