// SPDX-License-Identifier: MIT
#include "appliance/cache/policy/s3fifo.h"

#include <utility>

namespace headgate::cache {
namespace {

std::uint64_t small_part(std::uint64_t capacity_bytes) { return capacity_bytes / 10; }

}  // namespace

S3Fifo::S3Fifo(std::shared_ptr<PolicyGroup> group, std::size_t member)
    : group_(std::move(group)),
      member_(member),
      small_(*group_, member_, PolicyGroup::kNew),
      main_(*group_, member_, PolicyGroup::kProven) {}

S3Fifo::S3Fifo(const Options& options) : S3Fifo(std::make_shared<PolicyGroup>(1, options), 0) {}

bool S3Fifo::on_insert(Entry& entry, Entry* instead_of, std::uint64_t /*object_bytes*/) {
  if (instead_of != nullptr) {
    const Queue queue = static_cast<Queue>(instead_of->queue);
    entry.uses = instead_of->uses;
    unlink(*instead_of);
    push(queue, entry);
    return false;
  }
  entry.uses = 0;
  // Until the first eviction main has room to spare: what comes after the small queue is full may
  // stay longer.
  const bool small_is_full = !group_->has_evicted() && group_->bytes(PolicyGroup::kNew) >=
                                                           small_part(group_->capacity_bytes());
  const bool remembered = group_->recall(entry);
  entry.recalled = PolicyGroup::kNotAsked;
  push(remembered || small_is_full ? kMain : kSmall, entry);
  return remembered;
}

/// What goes on to main, or another round there, is not the one to go: then the next in its queue
/// is looked at, which may be another member's.
Policy::Entry* S3Fifo::evict(std::uint64_t capacity_bytes) {
  group_->note_eviction();
  for (;;) {
    const PolicyGroup::Queue queue = group_->next_queue(capacity_bytes);
    if (group_->oldest(queue) != member_) return nullptr;
    do {
      if (Entry* entry = queue == PolicyGroup::kNew ? pass_small() : pass_main()) return entry;
    } while (group_->oldest(queue) == member_);
  }
}

Policy::Entry* S3Fifo::pass_small() {
  Entry* entry = small_.oldest();
  unlink(*entry);
  if (entry->uses < kPromoteAt) {
    group_->add_ghost(*entry);
    return entry;
  }
  entry->uses = 0;
  push(kMain, *entry);
  return nullptr;
}

Policy::Entry* S3Fifo::pass_main() {
  Entry* entry = main_.oldest();
  unlink(*entry);
  if (entry->uses == 0) return entry;
  --entry->uses;
  push(kMain, *entry);
  return nullptr;
}

Policy::Stats S3Fifo::stats() const {
  return {.resident_bytes = small_.bytes() + main_.bytes(),
          .new_bytes = small_.bytes(),
          .memory_bytes = group_->ghost_memory_bytes() / group_->members()};
}

void S3Fifo::push(Queue queue, Entry& entry) {
  entry.queue = queue & 3U;
  list(entry).push(entry, group_->next_turn());
}

void S3Fifo::unlink(Entry& entry) {
  list(entry).unlink(entry);
  entry.queue = kNone;
}

}  // namespace headgate::cache
