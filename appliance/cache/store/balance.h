// SPDX-License-Identifier: MIT
// Which of several shards makes room. Internal to appliance/cache.
#pragma once

#include <cstddef>
#include <cstdint>

namespace headgate::cache {

/// Evicts from the fuller of two shards, `own` and one by turns, so that shards stay equally full
/// and a large entry takes room from all of them; from any when both are empty. Null when all are.
/// `shards`: a power of two of pointers to what has `resident_bytes()` and `evict()`.
template <class Shards>
auto evict_balanced(const Shards& shards, std::size_t own, std::uint64_t turn) {
  auto* fuller = &*shards[own];
  auto* other = &*shards[turn & (shards.size() - 1)];
  if (other != fuller && other->resident_bytes() > fuller->resident_bytes()) fuller = other;
  auto leaver = fuller->evict();
  for (std::size_t i = 0; leaver == nullptr && i < shards.size(); ++i) leaver = shards[i]->evict();
  return leaver;
}

}  // namespace headgate::cache
