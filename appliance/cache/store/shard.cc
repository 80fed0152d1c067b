// SPDX-License-Identifier: MIT
#include "appliance/cache/store/shard.h"

#include <algorithm>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/http/vary.h"

namespace headgate::cache {
namespace {

/// Of a walk: how many slots are looked at under the mutex at once, and after how many restarts the
/// rest is done in one go.
constexpr std::size_t kWalkSlots = 64;
constexpr int kMaxRestarts = 3;

/// Compares a request with the variants of one key; makes the text of each set of names once.
class VariantMatcher {
 public:
  explicit VariantMatcher(http::Fields request) : request_(request) {}

  bool operator()(const StoreEntry& entry) {
    if (entry.vary == nullptr) return true;
    if (entry.vary->names.get() != names_) {
      names_ = entry.vary->names.get();
      values_.clear();
      http::append_vary_key(values_, *names_, request_);
    }
    return values_ == entry.vary->values;
  }

 private:
  http::Fields request_;
  const std::vector<std::string>* names_ = nullptr;
  std::string values_;
};

}  // namespace

Shard::Shard(Budget& budget, const Options& options, const std::atomic<std::uint64_t>& oldest_epoch)
    : budget_(budget),
      policy_(make_policy(options.policy, options.group, options.member)),
      options_(options),
      oldest_epoch_(oldest_epoch) {}

Shard::~Shard() {
  const base::MutexLock lock(mutex_);
  table_.for_each([](StoreEntry* entry) {
    while (entry != nullptr) {
      const std::unique_ptr<StoreEntry> leaver(entry);
      entry = entry->next_variant;
    }
  });
}

StoreEntry* Shard::first_variant(const Key& key) {
  const Table::Slot* slot = table_.find(key.hash.low, [&key](const StoreEntry* entry) {
    return entry->key_hash == key.hash && entry->response->key_text() == key.text;
  });
  return slot != nullptr ? slot->value : nullptr;
}

base::Ref<StoredResponse> Shard::find(const Key& key, http::Fields request, Use* use) {
  VariantMatcher matches(request);
  const base::MutexLock lock(mutex_);
  for (StoreEntry* entry = first_variant(key); entry != nullptr; entry = entry->next_variant) {
    if (!matches(*entry)) continue;
    policy_->on_hit(*entry);
    if (use != nullptr) *use = {.fingerprint = entry->fingerprint, .charge = entry->charge};
    return entry->response;
  }
  return {};
}

bool Shard::contains(const Key& key) {
  const base::MutexLock lock(mutex_);
  return first_variant(key) != nullptr;
}

std::vector<StoreEntry*> Shard::matching(const Key& key, http::Fields request) {
  VariantMatcher matches(request);
  std::vector<StoreEntry*> found;
  for (StoreEntry* entry = first_variant(key); entry != nullptr; entry = entry->next_variant)
    if (matches(*entry)) found.push_back(entry);
  return found;
}

Shard::Inserted Shard::insert(const Key& key, http::Fields request,
                              std::unique_ptr<StoreEntry>& entry, Leavers& leavers, Over over) {
  const base::MutexLock lock(mutex_);
  const std::vector<StoreEntry*> replaced = matching(key, request);
  const std::uint64_t epoch = entry->response->stamp().epoch;
  // The mutex orders this with the walk of the sweep that raised it.
  if (std::max(epoch, entry->response->validated_epoch()) <
      oldest_epoch_.load(std::memory_order_relaxed))
    return Inserted::TooOld;
  if (over == Over::Nothing && !replaced.empty()) return Inserted::TooOld;
  for (const StoreEntry* other : replaced)
    if (other->response->stamp().epoch > epoch) return Inserted::TooOld;
  // The first one stays in the policy until its place there has been handed on.
  for (std::size_t i = 1; i < replaced.size(); ++i) leave(replaced[i], leavers);
  StoreEntry* heir_of = replaced.empty() ? nullptr : replaced.front();
  if (heir_of != nullptr) leavers.push_back(unlink(heir_of));
  if (!budget_.try_reserve(entry->charge)) {
    if (heir_of != nullptr) policy_->on_remove(*heir_of);
    return Inserted::NoRoom;
  }
  StoreEntry* linked = entry.release();
  link(linked, heir_of);
  limit_variants(linked, leavers);
  count_index();
  return replaced.empty() ? Inserted::New : Inserted::Replaced;
}

void Shard::link(StoreEntry* entry, StoreEntry* replaced) {
  const Key key{
      .hash = entry->key_hash, .text = entry->response->key_text(), .distribution = {}, .path = {}};
  Table::Slot* slot = table_.find(key.hash.low, [&key](const StoreEntry* other) {
    return other->key_hash == key.hash && other->response->key_text() == key.text;
  });
  entry->next_variant = slot != nullptr ? slot->value : nullptr;
  if (slot != nullptr)
    slot->value = entry;
  else
    table_.insert(key.hash.low, entry);

  for (const StoreEntry* other = entry->next_variant; other != nullptr; other = other->next_variant)
    if (entry->vary && other->vary && *entry->vary->names == *other->vary->names)
      entry->vary->names = other->vary->names;

  policy_->on_insert(*entry, replaced);
  budget_.objects.fetch_add(1, std::memory_order_relaxed);
  budget_.payload.fetch_add(entry->payload_bytes, std::memory_order_relaxed);
}

std::unique_ptr<StoreEntry> Shard::unlink(StoreEntry* entry) {
  Table::Slot* slot = table_.find(entry->key_hash.low, [entry](const StoreEntry* other) {
    return other->key_hash == entry->key_hash &&
           other->response->key_text() == entry->response->key_text();
  });
  HG_ASSERT(slot != nullptr);
  StoreEntry** link = &slot->value;
  while (*link != entry) link = &(*link)->next_variant;
  *link = std::exchange(entry->next_variant, nullptr);
  if (slot->value == nullptr) table_.erase(slot);
  budget_.release(entry->charge);
  budget_.objects.fetch_sub(1, std::memory_order_relaxed);
  budget_.payload.fetch_sub(entry->payload_bytes, std::memory_order_relaxed);
  return std::unique_ptr<StoreEntry>(entry);
}

/// In the very place of `replaced`: a walk in between misses neither.
std::unique_ptr<StoreEntry> Shard::take_place(StoreEntry* entry, StoreEntry* replaced) {
  Table::Slot* slot = table_.find(replaced->key_hash.low, [replaced](const StoreEntry* other) {
    return other->key_hash == replaced->key_hash &&
           other->response->key_text() == replaced->response->key_text();
  });
  HG_ASSERT(slot != nullptr);
  StoreEntry** link = &slot->value;
  while (*link != replaced) link = &(*link)->next_variant;
  entry->next_variant = std::exchange(replaced->next_variant, nullptr);
  *link = entry;
  policy_->on_insert(*entry, replaced);
  budget_.release(replaced->charge);
  budget_.payload.fetch_add(entry->payload_bytes, std::memory_order_relaxed);
  budget_.payload.fetch_sub(replaced->payload_bytes, std::memory_order_relaxed);
  return std::unique_ptr<StoreEntry>(replaced);
}

void Shard::leave(StoreEntry* entry, Leavers& leavers) {
  policy_->on_remove(*entry);
  leavers.push_back(unlink(entry));
}

void Shard::limit_variants(StoreEntry* newest, Leavers& leavers) {
  std::size_t count = 0;
  StoreEntry* oldest = nullptr;
  for (StoreEntry* entry = newest; entry != nullptr; entry = entry->next_variant) {
    oldest = entry;
    ++count;
  }
  if (count > options_.max_variants) leave(oldest, leavers);
}

void Shard::remove_matching(const Key& key, http::Fields request, Leavers& leavers) {
  const base::MutexLock lock(mutex_);
  for (StoreEntry* entry : matching(key, request)) leave(entry, leavers);
}

StoreEntry* Shard::entry_of(const Key& key, const StoredResponse& response) {
  StoreEntry* entry = first_variant(key);
  while (entry != nullptr && entry->response.get() != &response) entry = entry->next_variant;
  return entry;
}

base::Ref<StoredResponse> Shard::find_by_body(const Key& key, const Body& body) {
  const base::MutexLock lock(mutex_);
  for (StoreEntry* entry = first_variant(key); entry != nullptr; entry = entry->next_variant)
    if (entry->response->body().get() == &body) return entry->response;
  return {};
}

/// `response` itself, or a copy of it with more encodings that has taken its place.
StoreEntry* Shard::entry_like(const Key& key, const StoredResponse& response) {
  if (StoreEntry* entry = entry_of(key, response); entry != nullptr) return entry;
  if (!response.body()) return nullptr;
  for (StoreEntry* entry = first_variant(key); entry != nullptr; entry = entry->next_variant)
    if (entry->response->body().get() == response.body().get() &&
        entry->response->stamp().epoch == response.stamp().epoch)
      return entry;
  return nullptr;
}

bool Shard::remove(const Key& key, const StoredResponse& response, Leavers& leavers) {
  const base::MutexLock lock(mutex_);
  StoreEntry* entry = entry_like(key, response);
  if (entry == nullptr) return false;
  leave(entry, leavers);
  return true;
}

StoreEntry* Shard::sliced_variant(const Key& key, std::uint64_t id) {
  StoreEntry* entry = first_variant(key);
  while (entry != nullptr && !(entry->response->sliced() && entry->response->sliced()->id == id))
    entry = entry->next_variant;
  return entry;
}

void Shard::use_sliced(const Key& key, std::uint64_t id) {
  const base::MutexLock lock(mutex_);
  if (StoreEntry* entry = sliced_variant(key, id); entry != nullptr) policy_->on_hit(*entry);
}

void Shard::remove_sliced(const Key& key, std::uint64_t id, Leavers& leavers) {
  const base::MutexLock lock(mutex_);
  if (StoreEntry* entry = sliced_variant(key, id); entry != nullptr) leave(entry, leavers);
}

void Shard::mark_outdated(const Key& key, const StoredResponse& response) {
  const base::MutexLock lock(mutex_);
  response.set_outdated();
  if (const StoreEntry* entry = entry_like(key, response); entry != nullptr)
    entry->response->set_outdated();
}

Shard::Replaced Shard::replace(const Key& key, const StoredResponse& old,
                               std::unique_ptr<StoreEntry>& entry, Leavers& leavers) {
  const base::MutexLock lock(mutex_);
  StoreEntry* replaced = entry_of(key, old);
  if (replaced == nullptr) return Replaced::Gone;
  if (!budget_.try_reserve(entry->charge)) return Replaced::NoRoom;
  entry->vary = replaced->vary ? std::make_unique<StoreEntry::Vary>(*replaced->vary) : nullptr;
  entry->fingerprint = replaced->fingerprint;
  entry->response->inherit_notes(*replaced->response);
  leavers.push_back(take_place(entry.release(), replaced));
  return Replaced::Yes;
}

std::unique_ptr<StoreEntry> Shard::evict(std::uint64_t capacity_bytes) {
  const base::MutexLock lock(mutex_);
  auto* entry = static_cast<StoreEntry*>(policy_->evict(capacity_bytes));
  if (entry == nullptr) return nullptr;
  auto leaver = unlink(entry);
  count_index();
  return leaver;
}

void Shard::append_older(StoreEntry* first, std::uint64_t epoch, std::vector<Older>& found) {
  for (StoreEntry* entry = first; entry != nullptr; entry = entry->next_variant)
    if (entry->response->validated_epoch() < epoch)
      found.push_back({entry->key_hash, entry->response});
}

bool Shard::find_older(ShardWalk& walk, std::uint64_t epoch, std::vector<Older>& found) {
  const base::MutexLock lock(mutex_);
  if (!walk.begun || walk.capacity != table_.capacity()) {
    walk.begun = true;
    walk.capacity = walk.next = table_.capacity();
    walk.wraps = table_.wraps();
  }
  const bool at_once = walk.restarts >= kMaxRestarts;
  for (std::size_t i = 0; walk.next > 0 && (at_once || i < kWalkSlots); ++i)
    append_older(table_.at(--walk.next), epoch, found);
  if (walk.next > 0) return true;
  if (walk.wraps == table_.wraps()) return false;
  walk.begun = false;  // something may have slipped past
  ++walk.restarts;
  return true;
}

void Shard::count_index() {
  const std::uint64_t bytes = table_.memory_bytes() + policy_->stats().memory_bytes;
  budget_.index_changed(std::exchange(index_bytes_, bytes), bytes);
}

}  // namespace headgate::cache
