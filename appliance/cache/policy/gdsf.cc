// SPDX-License-Identifier: MIT
#include "appliance/cache/policy/gdsf.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace headgate::cache {
namespace {

constexpr std::size_t kSample = 32;
constexpr unsigned kMaxUses = UINT16_MAX;

}  // namespace

Gdsf::Gdsf(std::shared_ptr<PolicyGroup> group, std::size_t member)
    : group_(std::move(group)), member_(member) {}

/// The fuller, the sooner.
void Gdsf::bytes_changed(std::uint64_t from, std::uint64_t to) {
  bytes_ += to - from;
  group_->bytes_changed(PolicyGroup::kProven, from, to);
  group_->set_oldest(member_, PolicyGroup::kProven,
                     entries_.empty() ? PolicyGroup::kEmpty : PolicyGroup::kEmpty - 1 - bytes_);
}

void Gdsf::value(Entry& entry) const {
  const auto charge = static_cast<double>(std::max<std::uint64_t>(entry.charge, 1));
  entry.sampled.priority = age_ + static_cast<double>(entry.uses) / charge;
}

bool Gdsf::on_insert(Entry& entry, Entry* instead_of) {
  entry.uses = 1;
  if (instead_of != nullptr) entry.uses = instead_of->uses;
  if (instead_of != nullptr) on_remove(*instead_of);
  entry.sampled = {.priority = 0, .index = entries_.size()};
  value(entry);
  entries_.push_back(&entry);
  bytes_changed(0, entry.charge);
  return false;
}

void Gdsf::on_hit(Entry& entry) {
  if (entry.uses < kMaxUses) ++entry.uses;
  value(entry);
}

void Gdsf::on_remove(Entry& entry) {
  Entry* last = entries_.back();
  entries_[entry.sampled.index] = last;
  last->sampled.index = entry.sampled.index;
  entries_.pop_back();
  bytes_changed(entry.charge, 0);
}

Policy::Entry* Gdsf::evict(std::uint64_t /*capacity_bytes*/) {
  if (group_->oldest(PolicyGroup::kProven) != member_) return nullptr;
  Entry* least = sample();
  age_ = std::max(age_, least->sampled.priority);
  on_remove(*least);
  return least;
}

Policy::Entry* Gdsf::sample() {
  if (entries_.size() <= kSample)
    return *std::min_element(entries_.begin(), entries_.end(), [](const Entry* a, const Entry* b) {
      return a->sampled.priority < b->sampled.priority;
    });
  Entry* least = nullptr;
  for (std::size_t i = 0; i < kSample; ++i) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    Entry* entry = entries_[random_ % entries_.size()];
    if (least == nullptr || entry->sampled.priority < least->sampled.priority) least = entry;
  }
  return least;
}

Policy::Stats Gdsf::stats() const {
  return {.resident_bytes = bytes_, .memory_bytes = entries_.capacity() * sizeof(Entry*)};
}

}  // namespace headgate::cache
