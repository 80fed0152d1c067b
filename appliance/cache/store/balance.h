// SPDX-License-Identifier: MIT
// Which of several shards makes room. Internal to appliance/cache.
#pragma once

#include <cstddef>
#include <cstdint>

#include "appliance/cache/policy/policy_group.h"

namespace headgate::cache {

/// Evicts what is next among all shards; null when all are empty.
/// `shards[i]->evict(capacity_bytes)` evicts from member `i` of `group`, or returns null when that
/// has not the next one after all. `capacity_bytes`: what all entries may take at present.
template <class Shards>
auto evict_next(const Shards& shards, const PolicyGroup& group, std::uint64_t capacity_bytes)
    -> decltype(shards.front()->evict(0)) {
  for (;;) {
    const std::size_t member = next_member(group, capacity_bytes);
    if (member == shards.size()) return {};
    if (auto leaver = shards[member]->evict(capacity_bytes)) return leaver;
  }
}

}  // namespace headgate::cache
