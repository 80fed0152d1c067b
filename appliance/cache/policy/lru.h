// SPDX-License-Identifier: MIT
// LRU: what was used longest ago goes next.
#pragma once

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
  /// The order among shards is as fine as insertions, so that hits share nothing that is written.
  void on_hit(Entry& entry) override {
    if (list_.newest() == &entry) return;
    list_.unlink(entry);
    list_.push(entry, group_->turn());
  }
  void on_remove(Entry& entry) override { list_.unlink(entry); }
  Entry* evict(std::uint64_t /*capacity_bytes*/) override {
    if (group_->oldest(PolicyGroup::kProven) != member_) return nullptr;
    Entry* entry = list_.oldest();
    list_.unlink(*entry);
    return entry;
  }
  Stats stats() const override { return {.resident_bytes = list_.bytes()}; }

 private:
  const std::shared_ptr<PolicyGroup> group_;
  const std::size_t member_;
  EntryList list_;
};

}  // namespace headgate::cache
