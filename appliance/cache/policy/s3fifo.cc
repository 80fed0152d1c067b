// SPDX-License-Identifier: MIT
#include "appliance/cache/policy/s3fifo.h"

namespace headgate::cache {
namespace {

std::uint64_t small_part(std::uint64_t capacity_bytes) { return capacity_bytes / 10; }

}  // namespace

S3Fifo::S3Fifo(const Options& options)
    : group_(group_of(options)),
      member_(options.member),
      small_capacity_(small_part(options.capacity_bytes)),
      small_(*group_, member_, PolicyGroup::kNew),
      main_(*group_, member_, PolicyGroup::kProven),
      ghosts_(options.capacity_bytes / group_->members() / 10 * 9, options.max_ghosts) {}

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
  const bool small_is_full =
      !group_->has_evicted() && group_->bytes(PolicyGroup::kNew) >= small_capacity_;
  const bool to_main = ghosts_.take(entry.fingerprint) || small_is_full;
  push(to_main ? kMain : kSmall, entry);
}

/// What goes on to main, or another round there, is not the one to go: then the group's next is
/// looked at, which may be here.
Policy::Entry* S3Fifo::evict(std::uint64_t capacity_bytes) {
  group_->note_eviction();
  const PolicyGroup::Queue queue = group_->next_queue(capacity_bytes);
  do {
    if (Entry* entry = queue == PolicyGroup::kNew ? pass_small() : pass_main()) return entry;
  } while (group_->oldest(queue) == member_);
  return next_member(*group_, capacity_bytes) == member_ ? evict(capacity_bytes) : nullptr;
}

Policy::Entry* S3Fifo::pass_small() {
  Entry* entry = small_.oldest();
  if (entry == nullptr) return nullptr;
  unlink(*entry);
  if (entry->uses < kPromoteAt) {
    ghosts_.add(entry->fingerprint, entry->charge);
    return entry;
  }
  entry->uses = 0;
  push(kMain, *entry);
  return nullptr;
}

Policy::Entry* S3Fifo::pass_main() {
  Entry* entry = main_.oldest();
  if (entry == nullptr) return nullptr;
  unlink(*entry);
  if (entry->uses == 0) return entry;
  --entry->uses;
  push(kMain, *entry);
  return nullptr;
}

Policy::Stats S3Fifo::stats() const {
  return {.resident_bytes = small_.bytes() + main_.bytes(),
          .new_bytes = small_.bytes(),
          .memory_bytes = ghosts_.memory_bytes()};
}

void S3Fifo::push(Queue queue, Entry& entry) {
  entry.queue = queue;
  list(entry).push(entry, group_->next_turn());
}

void S3Fifo::unlink(Entry& entry) {
  list(entry).unlink(entry);
  entry.queue = kNone;
}

}  // namespace headgate::cache
