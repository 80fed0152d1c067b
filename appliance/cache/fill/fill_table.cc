// SPDX-License-Identifier: MIT
// FillTable: fills by key in shards, and beside them the marks of keys that are not worth waiting
// for.
#include <array>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "appliance/cache/fill/fill.h"

namespace headgate::cache {
namespace {

constexpr std::size_t kShards = 16;
constexpr std::size_t kMarksPerShard = 8192 / kShards;
constexpr Duration kUnshareableFor = std::chrono::seconds(120);
constexpr Duration kUnsliceableFor = std::chrono::hours(1);

struct HashOfKey {
  std::size_t operator()(const base::Hash128& hash) const {
    return static_cast<std::size_t>(hash.low);
  }
};

/// Marks in order of marking, each good for `lifetime`. Marking again renews.
class Marks {
 public:
  explicit Marks(Duration lifetime) : lifetime_(lifetime) {}

  void add(std::uint64_t fingerprint, base::MonoTime now) {
    expires_[fingerprint] = now + lifetime_;
    order_.push_back({fingerprint, now + lifetime_});
    while (order_.size() > kMarksPerShard || order_.front().expires_at <= now) drop_oldest();
  }
  bool contains(std::uint64_t fingerprint, base::MonoTime now) const {
    const auto found = expires_.find(fingerprint);
    return found != expires_.end() && now < found->second;
  }

 private:
  struct Mark {
    std::uint64_t fingerprint;
    base::MonoTime expires_at;
  };
  void drop_oldest() {
    const auto found = expires_.find(order_.front().fingerprint);
    // One that was renewed since lives on by its later mark.
    if (found != expires_.end() && found->second == order_.front().expires_at)
      expires_.erase(found);
    order_.pop_front();
  }

  const Duration lifetime_;
  std::unordered_map<std::uint64_t, base::MonoTime> expires_;
  std::deque<Mark> order_;
};

}  // namespace

struct FillTable::Impl {
  struct Shard {
    base::Mutex mutex;
    std::unordered_map<base::Hash128, base::Ref<Fill>, HashOfKey> fills GUARDED_BY(mutex);
    Marks unshareable GUARDED_BY(mutex){kUnshareableFor};
    Marks unsliceable GUARDED_BY(mutex){kUnsliceableFor};
  };
  std::array<Shard, kShards> shards;

  base::Mutex fetches_mutex;
  std::map<std::uint64_t, std::size_t> fetches GUARDED_BY(fetches_mutex);  ///< number by epoch

  Shard& shard(const base::Hash128& hash) { return shards[hash.high % kShards]; }
};

FillTable::FillTable() : impl_(std::make_unique<Impl>()) {}
FillTable::~FillTable() = default;

FillTable::Joined FillTable::join(const Key& key, const PurgeTable& purges,
                                  const UriInvalidations& changes, std::uint64_t generation,
                                  base::MonoTime now, const Fill* unusable, const void* judge) {
  Impl::Shard& shard = impl_->shard(key.hash);
  base::Ref<Fill> replaced;  // ends after the mutex is free
  const base::MutexLock lock(shard.mutex);
  const auto found = shard.fills.find(key.hash);
  if (found != shard.fills.end()) {
    const base::Ref<Fill>& fill = found->second;
    if (fill->key_text_ != key.text) return {};
    const Fill::State state = fill->state();
    const bool open = state == Fill::State::Waiting || state == Fill::State::Shared;
    // A leader that is gone without a word has left the table the only owner.
    const bool led = state != Fill::State::Waiting || fill->use_count() > 1;
    const base::Ref<StoredResponse> response = fill->response();
    const Purged purged = response ? purges.check(*response)
                                   : purges.check(key.distribution, key.path, fill->stamp());
    const bool outdated =
        purged != Purged::No ||
        changes.covers(uri_hash(key.distribution, key.path), fill->stamp().changes);
    if (open && led && !outdated && fill.get() != unusable && fill->judge_ == judge)
      return {.role = Role::Follower, .fill = fill};
  }
  if (shard.unshareable.contains(key.hash.low, now)) return {};
  auto fill = base::make_ref<Fill>(
      key, Stamp{.epoch = purges.epoch(), .generation = generation, .changes = changes.count()},
      judge);
  replaced = std::exchange(shard.fills[key.hash], fill);
  return {.role = Role::Leader, .fill = std::move(fill)};
}

void FillTable::finish(Fill& fill) {
  Impl::Shard& shard = impl_->shard(fill.key_hash_);
  base::Ref<Fill> finished;  // ends after the mutex is free
  const base::MutexLock lock(shard.mutex);
  const auto found = shard.fills.find(fill.key_hash_);
  if (found == shard.fills.end() || found->second.get() != &fill) return;
  finished = std::move(found->second);
  shard.fills.erase(found);
}

void FillTable::mark_unshareable(const Key& key, base::MonoTime now) {
  Impl::Shard& shard = impl_->shard(key.hash);
  const base::MutexLock lock(shard.mutex);
  shard.unshareable.add(key.hash.low, now);
}

void FillTable::mark_unsliceable(const Key& key, base::MonoTime now) {
  Impl::Shard& shard = impl_->shard(key.hash);
  const base::MutexLock lock(shard.mutex);
  shard.unsliceable.add(key.hash.low, now);
}

bool FillTable::is_unsliceable(const Key& key, base::MonoTime now) const {
  Impl::Shard& shard = impl_->shard(key.hash);
  const base::MutexLock lock(shard.mutex);
  return shard.unsliceable.contains(key.hash.low, now);
}

FillTable::Fetching::Fetching(FillTable& table, Stamp stamp) : table_(&table), epoch_(stamp.epoch) {
  const base::MutexLock lock(table.impl_->fetches_mutex);
  ++table.impl_->fetches[epoch_];
}

FillTable::Fetching::~Fetching() {
  if (table_ == nullptr) return;
  const base::MutexLock lock(table_->impl_->fetches_mutex);
  const auto found = table_->impl_->fetches.find(epoch_);
  if (--found->second == 0) table_->impl_->fetches.erase(found);
}

std::uint64_t FillTable::oldest_fetch_epoch() const {
  const base::MutexLock lock(impl_->fetches_mutex);
  return impl_->fetches.empty() ? UINT64_MAX : impl_->fetches.begin()->first;
}

std::size_t FillTable::size() const {
  std::size_t size = 0;
  for (Impl::Shard& shard : impl_->shards) {
    const base::MutexLock lock(shard.mutex);
    size += shard.fills.size();
  }
  return size;
}

}  // namespace headgate::cache
