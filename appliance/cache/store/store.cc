// SPDX-License-Identifier: MIT
#include "appliance/cache/store/store.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "appliance/cache/commons.h"
#include "appliance/cache/slice.h"
#include "appliance/cache/store/balance.h"
#include "appliance/cache/store/budget.h"
#include "appliance/cache/store/shard.h"
#include "appliance/cache/tier/disk_tier.h"
#include "appliance/http/vary.h"

namespace headgate::cache {
namespace {

/// Below this a shard's small queue is smaller than one large response, and S3-FIFO degrades.
constexpr std::uint64_t kLeastShardBytes = std::uint64_t{40} << 20;
/// A ghost is worth remembering for as many octets as the smallest responses take.
constexpr std::uint64_t kBytesPerGhost = 1024;
/// The copies of the miss curve may not cost more than a small part of the cache.
constexpr std::uint64_t kBytesPerCurveEntry = std::uint64_t{16} << 10;
constexpr std::uint64_t kMaxObjectFraction = 16;
constexpr std::uint64_t kMaxPinnedFraction = 4;
constexpr std::uint64_t kMaxIncomingFraction = 2;
/// cache.md section 4.8: up to here a range costs a fetch of the whole.
constexpr std::uint64_t kMaxWhole = std::uint64_t{32} << 20;
/// What a slice may need beside its octets.
constexpr std::uint64_t kSliceOverhead = std::uint64_t{64} << 10;

std::size_t shard_count(std::uint64_t budget_bytes, unsigned threads) {
  const std::uint64_t wanted = std::max<std::uint64_t>(std::uint64_t{4} * threads, 16);
  const std::uint64_t most = std::max<std::uint64_t>(budget_bytes / kLeastShardBytes, 1);
  return std::bit_floor(static_cast<std::size_t>(std::min(wanted, most)));
}

}  // namespace

struct Store::Impl {
  Impl(std::uint64_t budget_bytes, unsigned threads, Policy::Kind policy)
      : budget(budget_bytes),
        commons(base::make_ref<Commons>(budget_bytes)),
        curve(policy, budget_bytes,
              std::clamp<std::uint64_t>(budget_bytes / kBytesPerCurveEntry, 256, 16'384)) {
    Shard::Options options;
    options.policy = policy;
    const std::size_t count = shard_count(budget_bytes, threads);
    const std::uint64_t ghosts = std::min<std::uint64_t>(budget_bytes / kBytesPerGhost, UINT32_MAX);
    group = options.group = std::make_shared<PolicyGroup>(
        count, Policy::Options{.capacity_bytes = budget_bytes,
                               .max_ghosts = static_cast<std::uint32_t>(ghosts)});
    options.max_variants = kMaxVariants;
    count_texts();
    for (options.member = 0; options.member < count; ++options.member)
      shards.push_back(std::make_unique<Shard>(budget, options, oldest_epoch));
  }

  Shard& shard(const Key& key) { return *shards[key.hash.high & (shards.size() - 1)]; }
  bool evict_one();
  void insert(const Key& key, http::Fields request, const StoredResponse& response,
              Shard::Over over);
  void offer(const Key& key, http::Fields request, const base::Ref<StoredResponse>& response) {
    if (disk != nullptr && !response->disk_claimed()) disk->offer(key, request, response);
  }
  std::uint64_t pinned() const {
    const std::uint64_t resident = budget.payload.load(std::memory_order_relaxed);
    const std::uint64_t live = commons->account->live_bytes();
    return live > resident ? live - resident : 0;
  }

  std::uint64_t max_object_bytes() const { return budget.limit() / kMaxObjectFraction; }
  bool accepts_fills() const {
    return pinned() <= budget.limit() / kMaxPinnedFraction &&
           budget.incoming() <= budget.limit() / kMaxIncomingFraction;
  }
  base::Ref<StoredResponse> find(const Key& key, http::Fields request);
  void record(const Key& key, const Shard::Use& use) {
    curve.record((key.hash.high & ~std::uint64_t{UINT32_MAX}) | use.fingerprint, use.charge,
                 use.object_bytes);
  }
  void count_texts() {
    const std::uint64_t bytes = commons->texts.memory_bytes();
    if (bytes != texts_bytes.load(std::memory_order_relaxed))
      budget.index_changed(texts_bytes.exchange(bytes, std::memory_order_relaxed), bytes);
  }

  DiskTier* disk = nullptr;
  Budget budget;
  const base::Ref<Commons> commons;
  std::atomic<std::uint64_t> texts_bytes{0};  ///< of commons, as the budget has them
  MissCurve curve;
  std::atomic<std::uint64_t> oldest_epoch{0};
  std::shared_ptr<PolicyGroup> group;
  std::vector<std::unique_ptr<Shard>> shards;
  std::atomic<std::uint64_t> insertions{0};
  std::atomic<std::uint64_t> evictions{0};
  std::atomic<std::uint64_t> rejected{0};
  std::atomic<std::uint64_t> purged{0};
};

bool Store::Impl::evict_one() {
  if (!evict_next(shards, *group, budget.room())) return false;
  evictions.fetch_add(1, std::memory_order_relaxed);
  return true;
}

Store::Store(std::uint64_t budget_bytes, unsigned threads, Policy::Kind policy)
    : impl_(std::make_unique<Impl>(budget_bytes, threads, policy)) {}

Store::~Store() = default;

base::Ref<StoredResponse> Store::Impl::find(const Key& key, http::Fields request) {
  if (!curve.takes(key.hash.high)) return shard(key).find(key, request);
  Shard::Use use;
  auto response = shard(key).find(key, request, &use);
  if (response) record(key, use);
  return response;
}

Store::Found Store::find(const Key& key, http::Fields request, const PurgeTable& purges) {
  Found found{.response = impl_->find(key, request)};
  if (!found.response) return found;
  found.purged = purges.check(*found.response);
  if (found.purged == Purged::No) {
    impl_->offer(key, request, found.response);
    return found;
  }
  purges.count(*found.response);
  if (found.purged == Purged::Soft) return found;
  Leavers leavers;
  if (found.purged == Purged::Hard && impl_->shard(key).remove(key, *found.response, leavers)) {
    purges.count_freed(*found.response);
    impl_->purged.fetch_add(1, std::memory_order_relaxed);
  }
  found.response.reset();
  return found;
}

void Store::set_disk(DiskTier* disk) { impl_->disk = disk; }
DiskTier* Store::disk() const { return impl_->disk; }

void Store::insert(const Key& key, http::Fields request,
                   const base::Ref<StoredResponse>& response) {
  // What a 304 has confirmed is still there as it was: the disk's copy is as good as it.
  if (impl_->disk != nullptr && !response->disk_claimed())
    impl_->disk->supersede(key, request, *response);
  impl_->insert(key, request, *response, Shard::Over::Older);
}

void Store::restore(const Key& key, http::Fields request,
                    const base::Ref<StoredResponse>& response) {
  impl_->insert(key, request, *response, Shard::Over::Nothing);
}

void Store::Impl::insert(const Key& key, http::Fields request, const StoredResponse& response,
                         Shard::Over over) {
  Shard& shard = this->shard(key);
  Leavers leavers;
  const base::Ref<Body>& body = response.body();
  const auto refuse = [&] {
    rejected.fetch_add(1, std::memory_order_relaxed);
    if (over == Shard::Over::Older) shard.remove_matching(key, request, leavers);
  };
  if ((body && !body->storable()) || http::varies_on_everything(response.fields()) ||
      !accepts_fills())
    return refuse();
  const auto stored = StoredResponse::stored_form(response, commons);
  count_texts();
  const Shard::Use use = Shard::prepare(*stored, key, request);
  if (use.charge > max_object_bytes()) return refuse();
  stored->count_memory();
  for (;;) {
    const Shard::Inserted inserted = shard.insert(key, request, stored, leavers, over);
    if (inserted == Shard::Inserted::Replaced) break;
    if (inserted == Shard::Inserted::New || inserted == Shard::Inserted::Remembered) {
      // It would have been found a second time had there been room.
      if (inserted == Shard::Inserted::Remembered) offer(key, request, stored);
      if (curve.takes(key.hash.high)) record(key, use);
      break;
    }
    leavers.clear();
    if (inserted == Shard::Inserted::NoRoom && evict_one()) continue;
    // Too old; or others have reserved everything for what they are about to link.
    rejected.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  insertions.fetch_add(1, std::memory_order_relaxed);
}

base::Ref<StoredResponse> Store::find_slice(const Key& key) {
  auto slice = impl_->find(key, {});
  if (slice) impl_->offer(key, {}, slice);
  return slice;
}

bool Store::contains(const Key& key) const { return impl_->shard(key).contains(key); }

void Store::use_sliced(const Key& key, std::uint64_t id) { impl_->shard(key).use_sliced(key, id); }

void Store::remove_sliced(const Key& key, std::uint64_t id) {
  Leavers leavers;
  impl_->shard(key).remove_sliced(key, id, leavers);
}

void Store::set_encodings(const Key& key, const Body& body, std::vector<EncodedBody> encodings) {
  Impl& impl = *impl_;
  Shard& shard = impl.shard(key);
  Leavers leavers;
  // Once around, but for those who refresh or evict at the same moment.
  while (const base::Ref<StoredResponse> stored = shard.find_by_body(key, body)) {
    auto now = StoredResponse::with_encodings(*stored, encodings);
    if (!encodings.empty() && now->memory_bytes() > max_object_bytes()) {
      encodings.pop_back();
      continue;
    }
    now->count_memory();
    const Shard::Replaced replaced = shard.replace(key, *stored, now, leavers);
    leavers.clear();
    if (replaced == Shard::Replaced::Yes) return;
    if (replaced == Shard::Replaced::NoRoom && !impl.evict_one()) {
      shard.remove(key, *stored, leavers);
      return;
    }
  }
}

void Store::set_oldest_epoch(std::uint64_t epoch) {
  impl_->oldest_epoch.store(epoch, std::memory_order_relaxed);
}

void Store::visit_older(std::uint64_t epoch,
                        const std::function<Visit(const StoredResponse&)>& visit) {
  std::vector<Shard::Older> found;
  for (const auto& shard : impl_->shards) {
    ShardWalk walk;
    for (bool more = true; more;) {
      more = shard->find_older(walk, epoch, found);
      Leavers leavers;
      for (const Shard::Older& older : found) {
        const StoredResponse& response = *older.response;
        const Visit wish = visit(response);
        if (wish == Visit::Keep) continue;
        if (wish == Visit::Mark)
          shard->mark_outdated(older);
        else if (shard->remove(older, leavers))
          impl_->purged.fetch_add(1, std::memory_order_relaxed);
      }
      found.clear();
    }
  }
}

std::uint64_t Store::max_object_bytes() const { return impl_->max_object_bytes(); }

std::optional<std::uint64_t> Store::sliced_above() const {
  if (max_object_bytes() < kSliceBytes + kSliceOverhead) return std::nullopt;
  return std::min(max_object_bytes(), kMaxWhole);
}

bool Store::accepts_fills() const { return impl_->accepts_fills(); }

void Store::Incoming::set(std::uint64_t bytes) {
  if (store_ == nullptr) return;
  Impl& impl = *store_->impl_;
  impl.budget.incoming_changed(std::exchange(bytes_, bytes), bytes);
  while (impl.budget.overdrawn() && impl.evict_one()) {
  }
}

MissCurve& Store::miss_curve() { return impl_->curve; }
const MissCurve& Store::miss_curve() const { return impl_->curve; }

StoreStats Store::stats() const {
  const auto read = [](const std::atomic<std::uint64_t>& value) {
    return value.load(std::memory_order_relaxed);
  };
  return {.budget_bytes = impl_->budget.limit(),
          .resident_bytes = impl_->budget.resident(),
          .index_bytes = impl_->budget.index(),
          .incoming_bytes = impl_->budget.incoming(),
          .pinned_bytes = impl_->pinned(),
          .objects = read(impl_->budget.objects),
          .insertions = read(impl_->insertions),
          .evictions = read(impl_->evictions),
          .rejected = read(impl_->rejected),
          .purged = read(impl_->purged)};
}

}  // namespace headgate::cache
