// SPDX-License-Identifier: MIT
#include "appliance/cache/policy/s3fifo.h"

namespace headgate::cache {
namespace {

std::uint64_t small_part(std::uint64_t capacity_bytes) { return capacity_bytes / 10; }

}  // namespace

S3Fifo::S3Fifo(const Options& options)
    : small_capacity_(small_part(options.capacity_bytes)),
      ghosts_(options.capacity_bytes / 10 * 9, options.max_ghosts) {}

void S3Fifo::on_insert(Entry& entry, Entry* instead_of) {
  if (instead_of != nullptr) {
    const Queue queue = static_cast<Queue>(instead_of->queue);
    entry.uses = instead_of->uses;
    unlink(*instead_of);
    return push(queue, entry);
  }
  entry.uses = 0;
  // Until the first eviction main has room to spare: what comes after the small queue is full may
  // stay longer.
  const bool small_is_full = !has_evicted_ && small_.bytes() >= small_capacity_;
  const bool to_main = ghosts_.take(entry.fingerprint) || small_is_full;
  push(to_main ? kMain : kSmall, entry);
}

Policy::Entry* S3Fifo::evict(std::uint64_t capacity_bytes) {
  has_evicted_ = true;
  if (main_.bytes() <= capacity_bytes - small_part(capacity_bytes))
    if (Entry* entry = evict_small()) return entry;
  if (Entry* entry = evict_main()) return entry;
  return evict_small();
}

Policy::Entry* S3Fifo::evict_small() {
  while (Entry* entry = small_.oldest()) {
    unlink(*entry);
    if (entry->uses < kPromoteAt) {
      ghosts_.add(entry->fingerprint, entry->charge);
      return entry;
    }
    entry->uses = 0;
    push(kMain, *entry);
  }
  return nullptr;
}

Policy::Entry* S3Fifo::evict_main() {
  while (Entry* entry = main_.oldest()) {
    unlink(*entry);
    if (entry->uses == 0) return entry;
    --entry->uses;
    push(kMain, *entry);
  }
  return nullptr;
}

Policy::Stats S3Fifo::stats() const {
  return {.resident_bytes = small_.bytes() + main_.bytes(),
          .new_bytes = small_.bytes(),
          .memory_bytes = ghosts_.memory_bytes()};
}

void S3Fifo::push(Queue queue, Entry& entry) {
  entry.queue = queue;
  list(entry).push(entry);
}

void S3Fifo::unlink(Entry& entry) {
  list(entry).unlink(entry);
  entry.queue = kNone;
}

}  // namespace headgate::cache
