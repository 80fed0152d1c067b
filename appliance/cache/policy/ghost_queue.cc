// SPDX-License-Identifier: MIT
#include "appliance/cache/policy/ghost_queue.h"

#include <algorithm>
#include <utility>

namespace headgate::cache {

void GhostQueue::add(std::uint32_t fingerprint, std::uint64_t charge) {
  if (max_entries_ == 0 || charge > capacity_bytes_) return;
  take(fingerprint);
  while (next_ != oldest_ && (bytes_ + charge > capacity_bytes_ || next_ - oldest_ >= max_entries_))
    pop_oldest();
  make_room();
  at(next_) = {.charge = charge, .fingerprint = fingerprint};
  positions_.insert(fingerprint, next_);
  bytes_ += charge;
  ++next_;
}

bool GhostQueue::take(std::uint32_t fingerprint) {
  auto* slot = positions_.find(fingerprint, [](std::uint64_t) { return true; });
  if (slot == nullptr) return false;
  bytes_ -= at(slot->value).charge;
  positions_.erase(slot);
  return true;
}

std::uint64_t GhostQueue::memory_bytes() const {
  return ring_.size() * sizeof(Ghost) + positions_.memory_bytes();
}

void GhostQueue::pop_oldest() {
  // One that was taken, or added again since, has no position here any more.
  auto* slot = positions_.find(at(oldest_).fingerprint,
                               [this](std::uint64_t position) { return position == oldest_; });
  if (slot != nullptr) {
    bytes_ -= at(oldest_).charge;
    positions_.erase(slot);
  }
  ++oldest_;
}

void GhostQueue::make_room() {
  if (next_ - oldest_ < ring_.size()) return;
  std::vector<Ghost> larger(std::max<std::size_t>(64, 2 * ring_.size()));
  for (std::uint64_t i = oldest_; i != next_; ++i) larger[i & (larger.size() - 1)] = at(i);
  ring_ = std::move(larger);
}

}  // namespace headgate::cache
