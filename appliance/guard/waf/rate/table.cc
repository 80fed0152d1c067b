// SPDX-License-Identifier: MIT
// Shards of keys, each with a hash table and a list in the order of use. See table.h.
//
// A shard's places are numbered; chains of the hash table and the list link numbers, and a freed
// place is the next to be taken, so that a full shard allocates nothing but the rings of its keys.
#include "appliance/guard/waf/rate/table.h"

#include <algorithm>

#include "appliance/base/assert.h"
#include "appliance/guard/waf/rate/window.h"

namespace headgate::guard::waf {
namespace {

constexpr std::uint32_t kNone = 0xffff'ffff;

/// Expired keys at the end of the list that a look-up may free on its way: more than it can add.
constexpr int kFreedAtOnce = 2;

struct Place {
  base::Hash128 key;
  RateWindow window;
  std::uint64_t last_ms = 0;
  std::uint32_t window_ms = 0;
  std::uint32_t chain = kNone;
  std::uint32_t newer = kNone;
  std::uint32_t older = kNone;
};

/// Requests within one step share a record, which ends when the last of them would.
std::uint64_t step_of(std::uint32_t limit, std::uint64_t window_ms) {
  if (limit <= RateTable::kExactLimit) return 1;
  return std::max<std::uint64_t>(1, window_ms / RateTable::kExactLimit);
}

}  // namespace

struct alignas(64) RateTable::Shard {
  mutable base::Mutex mutex;
  std::vector<Place> places GUARDED_BY(mutex);
  std::vector<std::uint32_t> buckets GUARDED_BY(mutex);
  std::uint32_t free GUARDED_BY(mutex) = kNone;
  std::uint32_t newest GUARDED_BY(mutex) = kNone;
  std::uint32_t oldest GUARDED_BY(mutex) = kNone;
  std::size_t keys GUARDED_BY(mutex) = 0;
  std::size_t ring_bytes GUARDED_BY(mutex) = 0;
  std::uint64_t forgotten GUARDED_BY(mutex) = 0;

  std::uint32_t& bucket(const base::Hash128& key) REQUIRES(mutex) {
    return buckets[key.low & (buckets.size() - 1)];
  }

  std::size_t bytes() const REQUIRES(mutex) {
    return keys * sizeof(Place) + buckets.size() * sizeof(std::uint32_t) + ring_bytes;
  }

  void unlink(std::uint32_t at) REQUIRES(mutex) {
    Place& place = places[at];
    (place.newer == kNone ? newest : places[place.newer].older) = place.older;
    (place.older == kNone ? oldest : places[place.older].newer) = place.newer;
  }

  void link_newest(std::uint32_t at) REQUIRES(mutex) {
    Place& place = places[at];
    place.newer = kNone;
    place.older = newest;
    (newest == kNone ? oldest : places[newest].newer) = at;
    newest = at;
  }

  std::uint32_t find(const base::Hash128& key) REQUIRES(mutex) {
    if (buckets.empty()) return kNone;
    std::uint32_t at = bucket(key);
    while (at != kNone && places[at].key != key) at = places[at].chain;
    return at;
  }

  void remove(std::uint32_t at) REQUIRES(mutex) {
    Place& place = places[at];
    unlink(at);
    std::uint32_t* link = &bucket(place.key);
    while (*link != at) link = &places[*link].chain;
    *link = place.chain;
    ring_bytes -= place.window.heap_bytes();
    place = Place();
    place.chain = free;
    free = at;
    --keys;
  }

  void widen() REQUIRES(mutex) {
    buckets.assign(std::max<std::size_t>(64, buckets.size() * 2), kNone);
    for (std::uint32_t at = newest; at != kNone; at = places[at].older) {
      std::uint32_t& head = bucket(places[at].key);
      places[at].chain = head;
      head = at;
    }
  }

  std::uint32_t insert(const base::Hash128& key) REQUIRES(mutex) {
    if (keys >= buckets.size()) widen();
    std::uint32_t at = free;
    if (at != kNone) {
      free = places[at].chain;
    } else {
      at = static_cast<std::uint32_t>(places.size());
      places.emplace_back();
    }
    Place& place = places[at];
    place.key = key;
    std::uint32_t& head = bucket(key);
    place.chain = head;
    head = at;
    link_newest(at);
    ++keys;
    return at;
  }

  void free_expired(std::uint64_t now_ms) REQUIRES(mutex) {
    for (int i = 0; i < kFreedAtOnce && oldest != kNone; ++i) {
      if (places[oldest].last_ms + places[oldest].window_ms > now_ms) return;
      remove(oldest);
    }
  }

  /// `kept` stays: it is the one that is being counted.
  void keep_within(std::size_t max_bytes, std::uint32_t kept) REQUIRES(mutex) {
    while (bytes() > max_bytes && oldest != kNone && oldest != kept) {
      remove(oldest);
      ++forgotten;
    }
  }
};

RateTable::RateTable(Options options)
    : shard_mask_(options.shards - 1),
      max_bytes_of_shard_(options.max_bytes / options.shards),
      shards_(new Shard[options.shards]) {
  HG_ASSERT((options.shards & shard_mask_) == 0);
}
RateTable::~RateTable() = default;

RateTable::Shard& RateTable::shard_of(const base::Hash128& key) const {
  return shards_[key.high & shard_mask_];
}

Duration RateTable::take(const base::Hash128& key, std::uint32_t limit, Duration window,
                         base::MonoTime now) {
  const auto now_ms = static_cast<std::uint64_t>(now.time_since_epoch().count());
  const auto window_ms = static_cast<std::uint64_t>(window.count());
  Shard& shard = shard_of(key);
  const base::MutexLock lock(shard.mutex);
  shard.free_expired(now_ms);
  std::uint32_t at = shard.find(key);
  if (at == kNone) {
    at = shard.insert(key);
  } else {
    shard.unlink(at);
    shard.link_newest(at);
  }
  Place& place = shard.places[at];
  // Another worker's clock may have been read a moment earlier.
  const std::uint64_t counted_ms = std::max(now_ms, place.last_ms);
  place.last_ms = counted_ms;
  place.window_ms = static_cast<std::uint32_t>(window_ms);
  shard.ring_bytes -= place.window.heap_bytes();
  place.window.expire(counted_ms, window_ms);
  Duration wait = Duration::zero();
  if (place.window.passed() < limit) {
    const std::uint64_t step = step_of(limit, window_ms);
    place.window.add((counted_ms + step - 1) / step * step);
  } else {
    wait = Duration(place.window.oldest_ms() + window_ms - counted_ms);
  }
  shard.ring_bytes += place.window.heap_bytes();
  shard.keep_within(max_bytes_of_shard_, at);
  return wait;
}

RateTable::Stats RateTable::stats() const {
  Stats stats;
  for (std::size_t i = 0; i <= shard_mask_; ++i) {
    const Shard& shard = shards_[i];
    const base::MutexLock lock(shard.mutex);
    stats.keys += shard.keys;
    stats.bytes += shard.bytes();
    stats.forgotten += shard.forgotten;
  }
  return stats;
}

}  // namespace headgate::guard::waf
