// SPDX-License-Identifier: MIT
// CollectionStore.
#include "appliance/guard/waf/crs/store.h"

#include "appliance/base/hash.h"

namespace headgate::guard::waf {

CollectionStore::Shard& CollectionStore::shard_of(std::string_view collection) {
  return shards_[base::hash128(collection).low % kShards];
}

void CollectionStore::drop_last(Shard& shard) {
  shard.by_key.erase(shard.entries.back().key);
  shard.entries.pop_back();
}

CollectionStore::Entry* CollectionStore::find(Shard& shard, std::string_view collection,
                                              bool create, base::MonoTime now) {
  while (!shard.entries.empty() && shard.entries.back().touched + timeout_ <= now) drop_last(shard);
  const auto found = shard.by_key.find(collection);
  if (found != shard.by_key.end()) {
    shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
    shard.entries.front().touched = now;
    return &shard.entries.front();
  }
  if (!create) return nullptr;
  if (shard.entries.size() >= capacity_) drop_last(shard);
  shard.entries.push_front({std::string(collection), now, {}});
  shard.by_key.emplace(shard.entries.front().key, shard.entries.begin());
  return &shard.entries.front();
}

std::optional<std::string> CollectionStore::get(std::string_view collection, std::string_view name,
                                                base::MonoTime now) {
  Shard& shard = shard_of(collection);
  base::MutexLock lock(shard.mutex);
  Entry* const entry = find(shard, collection, false, now);
  if (entry == nullptr) return std::nullopt;
  const auto found = entry->variables.find(std::string(name));
  if (found == entry->variables.end()) return std::nullopt;
  if (found->second.expires_at && *found->second.expires_at <= now) {
    entry->variables.erase(found);
    return std::nullopt;
  }
  return found->second.value;
}

void CollectionStore::set(std::string_view collection, std::string_view name,
                          std::string_view value, base::MonoTime now) {
  Shard& shard = shard_of(collection);
  base::MutexLock lock(shard.mutex);
  Entry* const entry = find(shard, collection, true, now);
  const auto found = entry->variables.find(std::string(name));
  if (found != entry->variables.end()) {
    Variable& variable = found->second;
    if (variable.expires_at && *variable.expires_at <= now) variable.expires_at.reset();
    variable.value = value;
  } else if (entry->variables.size() < kMostVariables) {
    entry->variables.emplace(name, Variable{std::string(value), std::nullopt});
  }
}

void CollectionStore::unset(std::string_view collection, std::string_view name,
                            base::MonoTime now) {
  Shard& shard = shard_of(collection);
  base::MutexLock lock(shard.mutex);
  Entry* const entry = find(shard, collection, false, now);
  if (entry != nullptr) entry->variables.erase(std::string(name));
}

void CollectionStore::expire(std::string_view collection, std::string_view name, base::MonoTime at,
                             base::MonoTime now) {
  Shard& shard = shard_of(collection);
  base::MutexLock lock(shard.mutex);
  Entry* const entry = find(shard, collection, false, now);
  if (entry == nullptr) return;
  const auto found = entry->variables.find(std::string(name));
  if (found != entry->variables.end()) found->second.expires_at = at;
}

std::size_t CollectionStore::size() {
  std::size_t size = 0;
  for (Shard& shard : shards_) {
    base::MutexLock lock(shard.mutex);
    size += shard.entries.size();
  }
  return size;
}

}  // namespace headgate::guard::waf
