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
/// In an entry's `queue`.
constexpr std::uint64_t kWhole = 0;
constexpr std::uint64_t kPart = 1;

/// Objects of one size have few priorities among them. Among equals a hash decides, not who came
/// first: going round more of them than fit, some hit.
bool goes_before(const Policy::Entry& a, double of_a, const Policy::Entry& b, double of_b) {
  return of_a < of_b || (of_a == of_b && a.fingerprint < b.fingerprint);
}

bool placed_before(const Policy::Entry& a, const Policy::Entry& b) {
  return goes_before(a, a.ranked.at_place, b, b.ranked.at_place);
}

}  // namespace

Gdsf::Gdsf(std::shared_ptr<PolicyGroup> group, std::size_t member)
    : group_(std::move(group)), member_(member) {}

double Gdsf::worth(const Entry& entry) const {
  const std::uint64_t octets = entry.queue == kPart ? wholes_.find(&entry)->second : entry.charge;
  return group_->age() +
         static_cast<double>(entry.uses) / static_cast<double>(std::max<std::uint64_t>(octets, 1));
}

bool Gdsf::on_insert(Entry& entry, Entry* instead_of, std::uint64_t object_bytes) {
  entry.uses = 1;
  if (instead_of != nullptr) {
    entry.uses = instead_of->uses;
    on_remove(*instead_of);
  }
  entry.queue = object_bytes != 0 ? kPart : kWhole;
  if (object_bytes != 0) wholes_.emplace(&entry, object_bytes);
  const double priority = worth(entry);
  entry.ranked = {.priority = priority, .at_place = priority};
  HG_ASSERT(heap_.size() < UINT32_MAX);
  // By an eighth: there are millions.
  if (heap_.size() == heap_.capacity()) heap_.reserve(heap_.size() + heap_.size() / 8 + 16);
  heap_.push_back(&entry);
  raise(heap_.size() - 1, &entry);
  bytes_ += entry.charge;
  group_->bytes_changed(PolicyGroup::kProven, 0, entry.charge);
  tell_group();
  return false;
}

void Gdsf::on_hit(Entry& entry) {
  if (entry.uses < kMaxUses) ++entry.uses;
  entry.ranked.priority = worth(entry);
}

void Gdsf::on_remove(Entry& entry) {
  const std::size_t hole = entry.turn;
  Entry* last = heap_.back();
  heap_.pop_back();
  if (last != &entry) {
    if (placed_before(*last, entry))
      raise(hole, last);
    else
      sink(hole, last);
  }
  if (entry.queue == kPart) wholes_.erase(&entry);
  bytes_ -= entry.charge;
  group_->bytes_changed(PolicyGroup::kProven, entry.charge, 0);
  tell_group();
}

Policy::Entry* Gdsf::evict(std::uint64_t /*capacity_bytes*/) {
  Entry* least = nullptr;
  for (int looks = 0; looks < kMaxLooks; ++looks) {
    if (group_->oldest(PolicyGroup::kProven) != member_) return nullptr;
    Entry* top = heap_.front();
    Entry::Ranked& ranked = top->ranked;
    if (least == nullptr || goes_before(*top, ranked.priority, *least, least->ranked.priority))
      least = top;
    if (ranked.priority <= ranked.at_place) break;
    ranked.at_place = ranked.priority;
    sink(0, top);
    tell_group();
  }
  group_->raise_age(least->ranked.priority);
  on_remove(*least);
  return least;
}

Policy::Stats Gdsf::stats() const {
  constexpr std::uint64_t kWholeBytes = 64;  // a node of the map, and its place there
  return {.resident_bytes = bytes_,
          .memory_bytes = heap_.capacity() * sizeof(Entry*) + wholes_.size() * kWholeBytes};
}

void Gdsf::set(std::size_t at, Entry* entry) {
  heap_[at] = entry;
  entry->turn = static_cast<std::uint32_t>(at);
}

void Gdsf::raise(std::size_t at, Entry* entry) {
  for (; at > 0; at = (at - 1) / 2) {
    Entry* parent = heap_[(at - 1) / 2];
    if (!placed_before(*entry, *parent)) break;
    set(at, parent);
  }
  set(at, entry);
}

void Gdsf::sink(std::size_t at, Entry* entry) {
  for (std::size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
    if (child + 1 < heap_.size() && placed_before(*heap_[child + 1], *heap_[child])) ++child;
    if (!placed_before(*heap_[child], *entry)) break;
    set(at, heap_[child]);
    at = child;
  }
  set(at, entry);
}

/// Priorities are not negative: their octets are in the order of the numbers.
void Gdsf::tell_group() {
  if (heap_.empty()) return group_->set_oldest(member_, PolicyGroup::kProven, PolicyGroup::kEmpty);
  const Entry& top = *heap_.front();
  group_->set_oldest(member_, PolicyGroup::kProven,
                     std::bit_cast<std::uint64_t>(top.ranked.at_place), top.fingerprint);
}

}  // namespace headgate::cache
