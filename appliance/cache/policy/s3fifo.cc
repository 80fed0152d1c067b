// SPDX-License-Identifier: MIT
#include "appliance/cache/policy/s3fifo.h"

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

S3Fifo::S3Fifo(const Options& options)
    : options_(options),
      small_capacity_(options.capacity_bytes / 10),
      main_capacity_(options.capacity_bytes - options.capacity_bytes / 10),
      ghosts_(options.capacity_bytes / 10 * 9, options.max_ghosts) {}

void S3Fifo::on_insert(Entry& entry) {
  entry.frequency = 0;
  // Until the first eviction main has room to spare: what comes after the small queue is full may
  // stay longer.
  const bool small_is_full = !has_evicted_ && small_.bytes >= small_capacity_;
  const bool to_main = ghosts_.take(entry.fingerprint) || small_is_full;
  push(to_main ? Queue::Main : Queue::Small, entry);
}

void S3Fifo::on_replace(Entry& old, Entry& by) {
  const Queue queue = old.queue;
  by.frequency = old.frequency;
  unlink(old);
  push(queue, by);
}

void S3Fifo::on_remove(Entry& entry) { unlink(entry); }

S3Fifo::Entry* S3Fifo::evict() {
  has_evicted_ = true;
  if (main_.bytes <= main_capacity_ && small_.oldest != nullptr)
    if (Entry* entry = evict_small()) return entry;
  if (Entry* entry = evict_main()) return entry;
  return evict_small();
}

S3Fifo::Entry* S3Fifo::evict_small() {
  while (Entry* entry = small_.oldest) {
    unlink(*entry);
    if (entry->frequency < options_.promote_at) {
      ghosts_.add(entry->fingerprint, entry->charge);
      return entry;
    }
    entry->frequency = 0;
    push(Queue::Main, *entry);
  }
  return nullptr;
}

S3Fifo::Entry* S3Fifo::evict_main() {
  while (Entry* entry = main_.oldest) {
    unlink(*entry);
    if (entry->frequency == 0) return entry;
    --entry->frequency;
    push(Queue::Main, *entry);
  }
  return nullptr;
}

S3Fifo::Stats S3Fifo::stats() const {
  return {.small_bytes = small_.bytes,
          .main_bytes = main_.bytes,
          .ghost_memory_bytes = ghosts_.memory_bytes()};
}

void S3Fifo::push(Queue queue, Entry& entry) {
  entry.queue = queue;
  List& to = list(entry);
  entry.newer = nullptr;
  entry.older = to.newest;
  (to.newest != nullptr ? to.newest->newer : to.oldest) = &entry;
  to.newest = &entry;
  to.bytes += entry.charge;
}

void S3Fifo::unlink(Entry& entry) {
  List& from = list(entry);
  (entry.newer != nullptr ? entry.newer->older : from.newest) = entry.older;
  (entry.older != nullptr ? entry.older->newer : from.oldest) = entry.newer;
  from.bytes -= entry.charge;
  entry.newer = entry.older = nullptr;
  entry.queue = Queue::None;
}

}  // namespace headgate::cache
