// SPDX-License-Identifier: MIT
#include "appliance/cache/policy/gdsf.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "appliance/base/assert.h"

namespace headgate::cache {
namespace {

constexpr unsigned kMaxUses = UINT16_MAX;
/// After a long time without an eviction nearly every place is out of date: so many are looked at
/// for one, at most.
constexpr int kMaxLooks = 128;

}  // namespace

Gdsf::Gdsf(std::shared_ptr<PolicyGroup> group, std::size_t member)
    : group_(std::move(group)), member_(member) {}

void Gdsf::value(Entry& entry) const {
  entry.ranked.priority =
      group_->age() + static_cast<double>(entry.uses) / double{entry.ranked.object_bytes};
}

bool Gdsf::on_insert(Entry& entry, Entry* instead_of, std::uint64_t object_bytes) {
  entry.uses = 1;
  if (instead_of != nullptr) {
    entry.uses = instead_of->uses;
    on_remove(*instead_of);
  }
  const std::uint64_t octets = object_bytes != 0 ? object_bytes : entry.charge;
  entry.ranked = {.priority = 0,
                  .place = 0,
                  .object_bytes = static_cast<float>(std::max<std::uint64_t>(octets, 1))};
  value(entry);
  HG_ASSERT(heap_.size() < UINT32_MAX);
  heap_.emplace_back();
  raise(heap_.size() - 1, {.priority = entry.ranked.priority, .entry = &entry});
  bytes_ += entry.charge;
  group_->bytes_changed(PolicyGroup::kProven, 0, entry.charge);
  tell_group();
  return false;
}

void Gdsf::on_hit(Entry& entry) {
  if (entry.uses < kMaxUses) ++entry.uses;
  value(entry);
}

void Gdsf::on_remove(Entry& entry) {
  const std::size_t hole = entry.ranked.place;
  const Place last = heap_.back();
  heap_.pop_back();
  if (hole < heap_.size()) {
    if (last.priority < heap_[hole].priority)
      raise(hole, last);
    else
      sink(hole, last);
  }
  bytes_ -= entry.charge;
  group_->bytes_changed(PolicyGroup::kProven, entry.charge, 0);
  tell_group();
}

Policy::Entry* Gdsf::evict(std::uint64_t /*capacity_bytes*/) {
  Entry* least = nullptr;
  for (int looks = 0; looks < kMaxLooks; ++looks) {
    if (group_->oldest(PolicyGroup::kProven) != member_) return nullptr;
    const Place top = heap_.front();
    const double worth = top.entry->ranked.priority;
    if (least == nullptr || worth < least->ranked.priority) least = top.entry;
    if (worth <= top.priority) break;
    sink(0, {.priority = worth, .entry = top.entry});
    tell_group();
  }
  group_->raise_age(least->ranked.priority);
  on_remove(*least);
  return least;
}

Policy::Stats Gdsf::stats() const {
  return {.resident_bytes = bytes_, .memory_bytes = heap_.capacity() * sizeof(Place)};
}

void Gdsf::set(std::size_t at, Place place) {
  heap_[at] = place;
  place.entry->ranked.place = static_cast<std::uint32_t>(at);
}

void Gdsf::raise(std::size_t at, Place place) {
  for (; at > 0; at = (at - 1) / 2) {
    const Place parent = heap_[(at - 1) / 2];
    if (parent.priority <= place.priority) break;
    set(at, parent);
  }
  set(at, place);
}

void Gdsf::sink(std::size_t at, Place place) {
  for (std::size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1].priority < heap_[child].priority) ++child;
    if (heap_[child].priority >= place.priority) break;
    set(at, heap_[child]);
    at = child;
  }
  set(at, place);
}

/// Priorities are not negative: their octets are in the order of the numbers.
void Gdsf::tell_group() {
  group_->set_oldest(
      member_, PolicyGroup::kProven,
      heap_.empty() ? PolicyGroup::kEmpty : std::bit_cast<std::uint64_t>(heap_.front().priority));
}

}  // namespace headgate::cache
