// SPDX-License-Identifier: MIT
#include "appliance/cache/store/shard.h"

#include <algorithm>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/http/vary.h"

namespace headgate::cache {
namespace {

/// Of the whole that it is a slice of: who judges by size judges a slice by that.
std::uint64_t object_bytes(const StoredResponse& response) {
  const auto whole = response.slice_of();
  return whole ? whole->length : 0;
}

/// Of a walk: how many slots are looked at under the mutex at once, and after how many restarts the
/// rest is done in one go.
constexpr std::size_t kWalkSlots = 64;
constexpr int kMaxRestarts = 3;

}  // namespace

/// Compares a request with the variants of one key; makes the text of each set of names once.
class Shard::VariantMatcher {
 public:
  explicit VariantMatcher(http::Fields request) : request_(request) {}

  bool operator()(const StoredResponse& response) {
    if (!response.varies()) return true;
    const StorePlace::Variant& variant = *response.variant;
    if (variant.names.get() != names_) {
      names_ = variant.names.get();
      values_.clear();
      http::append_vary_key(values_, *names_, request_);
    }
    return values_ == variant.values;
  }

 private:
  http::Fields request_;
  const std::vector<std::string>* names_ = nullptr;
  std::string values_;
};

std::uint32_t Shard::HashOf::operator()(const StoredResponse& response) const {
  return response.key_hash();
}

Shard::Use Shard::use_of(const StoredResponse& response) {
  return {.fingerprint = response.fingerprint,
          .charge = response.charge,
          .object_bytes = object_bytes(response)};
}

Shard::Shard(Budget& budget, const Options& options, const std::atomic<std::uint64_t>& oldest_epoch)
    : budget_(budget),
      policy_(make_policy(options.policy, options.group, options.member)),
      options_(options),
      oldest_epoch_(oldest_epoch) {}

Shard::~Shard() {
  const base::MutexLock lock(mutex_);
  for (std::size_t i = 0; i < table_.capacity(); ++i)
    for (StoredResponse* response = table_.at(i); response != nullptr;) {
      const auto leaver = base::adopt_ref(response);
      response = response->next();
    }
}

StoredResponse* Shard::first_variant(const Key& key) {
  const Table::Slot* slot = table_.find(
      key.hash.low, [&key](const StoredResponse& response) { return response.has_key(key.text); });
  return slot != nullptr ? slot->value() : nullptr;
}

Shard::Table::Slot* Shard::slot_of(std::uint32_t key_hash, const StoredResponse& response) {
  return table_.find_short(key_hash, [&response, key_hash](const StoredResponse& other) {
    return other.key_hash() == key_hash && other.has_key_of(response);
  });
}

StoredResponse* Shard::first_of(std::uint32_t key_hash, const StoredResponse& response) {
  const Table::Slot* slot = slot_of(key_hash, response);
  return slot != nullptr ? slot->value() : nullptr;
}

base::Ref<StoredResponse> Shard::find(const Key& key, http::Fields request, Use* use) {
  VariantMatcher matches(request);
  const base::MutexLock lock(mutex_);
  for (StoredResponse* found = first_variant(key); found != nullptr; found = found->next()) {
    if (!matches(*found)) continue;
    policy_->on_hit(*found);
    if (use != nullptr) *use = use_of(*found);
    return base::Ref<StoredResponse>(found);
  }
  return {};
}

bool Shard::contains(const Key& key) {
  const base::MutexLock lock(mutex_);
  return first_variant(key) != nullptr;
}

std::vector<StoredResponse*> Shard::matching(const Key& key, http::Fields request) {
  VariantMatcher matches(request);
  std::vector<StoredResponse*> found;
  for (StoredResponse* one = first_variant(key); one != nullptr; one = one->next())
    if (matches(*one)) found.push_back(one);
  return found;
}

Shard::Use Shard::prepare(StoredResponse& response, const Key& key, http::Fields request) {
  http::Vary vary = http::parse_vary(response.fields());
  response.fingerprint = static_cast<std::uint32_t>(key.hash.low);
  if (!vary.names.empty()) {
    auto variant = std::make_unique<StorePlace::Variant>();
    variant->values = http::vary_key(vary.names, request);
    variant->names = std::make_shared<const std::vector<std::string>>(std::move(vary.names));
    variant->fingerprint = static_cast<std::uint32_t>(base::hash128(variant->values).low);
    response.fingerprint ^= variant->fingerprint;
    response.variant = std::move(variant);
  }
  response.set_charge(response.memory_bytes() + response.place_bytes());
  return use_of(response);
}

Shard::Inserted Shard::insert(const Key& key, http::Fields request,
                              const base::Ref<StoredResponse>& response, Leavers& leavers,
                              Over over) {
  const base::MutexLock lock(mutex_);
  const std::vector<StoredResponse*> replaced = matching(key, request);
  const std::uint64_t epoch = response->stamp().epoch;
  // The mutex orders this with the walk of the sweep that raised it.
  if (std::max(epoch, response->validated_epoch()) < oldest_epoch_.load(std::memory_order_relaxed))
    return Inserted::TooOld;
  if (over == Over::Nothing && !replaced.empty()) return Inserted::TooOld;
  for (const StoredResponse* other : replaced)
    if (other->stamp().epoch > epoch) return Inserted::TooOld;
  // The first one stays in the policy until its place there has been handed on.
  for (std::size_t i = 1; i < replaced.size(); ++i) leave(replaced[i], leavers);
  StoredResponse* heir_of = replaced.empty() ? nullptr : replaced.front();
  if (heir_of != nullptr) leavers.push_back(unlink(heir_of));
  if (!budget_.try_reserve(response->charge)) {
    if (heir_of != nullptr)
      policy_->on_remove(*heir_of);
    else
      options_.group->recall(*response);
    return Inserted::NoRoom;
  }
  const bool remembered = link(key, base::Ref<StoredResponse>(response).release(), heir_of);
  limit_variants(response.get(), leavers);
  count_index();
  if (!replaced.empty()) return Inserted::Replaced;
  return remembered ? Inserted::Remembered : Inserted::New;
}

bool Shard::link(const Key& key, StoredResponse* response, StoredResponse* replaced) {
  Table::Slot* slot = table_.find(
      key.hash.low, [&key](const StoredResponse& other) { return other.has_key(key.text); });
  response->set_next(slot != nullptr ? slot->value() : nullptr);
  if (slot != nullptr)
    slot->set(response);
  else
    table_.insert(key.hash.low, response);

  if (response->varies())
    for (const StoredResponse* other = response->next(); other != nullptr; other = other->next())
      if (other->varies() && *response->variant->names == *other->variant->names)
        response->variant->names = other->variant->names;

  budget_.objects.fetch_add(1, std::memory_order_relaxed);
  budget_.payload.fetch_add(response->payload_bytes(), std::memory_order_relaxed);
  return policy_->on_insert(*response, replaced, object_bytes(*response));
}

base::Ref<StoredResponse> Shard::unlink(StoredResponse* response) {
  Table::Slot* slot = slot_of(response->key_hash(), *response);
  HG_ASSERT(slot != nullptr);
  StoredResponse* next = response->next();
  response->set_next(nullptr);
  if (slot->value() != response) {
    StoredResponse* before = slot->value();
    while (before->next() != response) before = before->next();
    before->set_next(next);
  } else if (next != nullptr) {
    slot->set(next);
  } else {
    table_.erase(slot);
  }
  budget_.release(response->charge);
  budget_.objects.fetch_sub(1, std::memory_order_relaxed);
  budget_.payload.fetch_sub(response->payload_bytes(), std::memory_order_relaxed);
  return base::adopt_ref(response);
}

/// In the very place of `replaced`: a walk in between misses neither.
base::Ref<StoredResponse> Shard::take_place(StoredResponse* response, StoredResponse* replaced) {
  Table::Slot* slot = slot_of(replaced->key_hash(), *replaced);
  HG_ASSERT(slot != nullptr);
  response->set_next(replaced->next());
  replaced->set_next(nullptr);
  if (slot->value() == replaced) {
    slot->set(response);
  } else {
    StoredResponse* before = slot->value();
    while (before->next() != replaced) before = before->next();
    before->set_next(response);
  }
  policy_->on_insert(*response, replaced, object_bytes(*response));
  budget_.release(replaced->charge);
  budget_.payload.fetch_add(response->payload_bytes(), std::memory_order_relaxed);
  budget_.payload.fetch_sub(replaced->payload_bytes(), std::memory_order_relaxed);
  return base::adopt_ref(replaced);
}

void Shard::leave(StoredResponse* response, Leavers& leavers) {
  policy_->on_remove(*response);
  leavers.push_back(unlink(response));
}

void Shard::limit_variants(StoredResponse* newest, Leavers& leavers) {
  std::size_t count = 0;
  StoredResponse* oldest = nullptr;
  for (StoredResponse* one = newest; one != nullptr; one = one->next()) {
    oldest = one;
    ++count;
  }
  if (count > options_.max_variants) leave(oldest, leavers);
}

void Shard::remove_matching(const Key& key, http::Fields request, Leavers& leavers) {
  const base::MutexLock lock(mutex_);
  for (StoredResponse* response : matching(key, request)) leave(response, leavers);
}

base::Ref<StoredResponse> Shard::find_by_body(const Key& key, const Body& body) {
  const base::MutexLock lock(mutex_);
  for (StoredResponse* one = first_variant(key); one != nullptr; one = one->next())
    if (one->body() && one->body()->is(body)) return base::Ref<StoredResponse>(one);
  return {};
}

/// `response` itself, or a copy of it with more encodings that has taken its place.
StoredResponse* Shard::like(StoredResponse* first, const StoredResponse& response) {
  for (StoredResponse* one = first; one != nullptr; one = one->next())
    if (one == &response) return one;
  if (!response.body()) return nullptr;
  for (StoredResponse* one = first; one != nullptr; one = one->next())
    if (one->body() && one->body()->is(*response.body()) &&
        one->stamp().epoch == response.stamp().epoch)
      return one;
  return nullptr;
}

bool Shard::remove(const Key& key, const StoredResponse& response, Leavers& leavers) {
  const base::MutexLock lock(mutex_);
  StoredResponse* found = like(first_variant(key), response);
  if (found == nullptr) return false;
  leave(found, leavers);
  return true;
}

bool Shard::remove(const Older& older, Leavers& leavers) {
  const base::MutexLock lock(mutex_);
  StoredResponse* found = like(first_of(older.key_hash, *older.response), *older.response);
  if (found == nullptr) return false;
  leave(found, leavers);
  return true;
}

StoredResponse* Shard::sliced_variant(const Key& key, std::uint64_t id) {
  StoredResponse* one = first_variant(key);
  while (one != nullptr && one->sliced().value_or(Sliced{}).id != id) one = one->next();
  return one;
}

void Shard::use_sliced(const Key& key, std::uint64_t id) {
  const base::MutexLock lock(mutex_);
  if (StoredResponse* one = sliced_variant(key, id); one != nullptr) policy_->on_hit(*one);
}

void Shard::remove_sliced(const Key& key, std::uint64_t id, Leavers& leavers) {
  const base::MutexLock lock(mutex_);
  if (StoredResponse* one = sliced_variant(key, id); one != nullptr) leave(one, leavers);
}

void Shard::mark_outdated(const Older& older) {
  const base::MutexLock lock(mutex_);
  older.response->set_outdated();
  if (const auto* now = like(first_of(older.key_hash, *older.response), *older.response);
      now != nullptr)
    now->set_outdated();
}

Shard::Replaced Shard::replace(const Key& key, const StoredResponse& old,
                               const base::Ref<StoredResponse>& response, Leavers& leavers) {
  const std::uint64_t payload_bytes = response->memory_bytes();
  const base::MutexLock lock(mutex_);
  StoredResponse* replaced = first_variant(key);
  while (replaced != nullptr && replaced != &old) replaced = replaced->next();
  if (replaced == nullptr) return Replaced::Gone;
  response->variant.reset();
  response->stand_for(*replaced);
  response->set_charge(payload_bytes + response->place_bytes());
  if (!budget_.try_reserve(response->charge)) return Replaced::NoRoom;
  response->inherit_notes(*replaced);
  leavers.push_back(take_place(base::Ref<StoredResponse>(response).release(), replaced));
  return Replaced::Yes;
}

base::Ref<StoredResponse> Shard::evict(std::uint64_t capacity_bytes) {
  const base::MutexLock lock(mutex_);
  auto* response = static_cast<StoredResponse*>(policy_->evict(capacity_bytes));
  if (response == nullptr) return {};
  auto leaver = unlink(response);
  count_index();
  return leaver;
}

void Shard::append_older(StoredResponse* first, std::uint64_t epoch, std::vector<Older>& found) {
  for (StoredResponse* one = first; one != nullptr; one = one->next())
    if (one->validated_epoch() < epoch)
      found.push_back({one->key_hash(), base::Ref<StoredResponse>(one)});
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
