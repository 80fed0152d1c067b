// SPDX-License-Identifier: MIT
// A slot's home is its tag's place among all tags, so tables may have any length and grow by an
// eighth: they are never less than 75 % full once they have grown. Linear probing, deletion by
// shifting back. The last slots' run wraps around.
#include "appliance/cache/disk/index.h"

#include <algorithm>
#include <utility>

namespace headgate::cache::disk {
namespace {

constexpr unsigned kMaxUses = 3;

/// 12 octets: tag, offset and length, region with its bits. No tag is special: `used` tells.
struct Slot {
  std::uint32_t tag = 0;
  std::uint32_t offset : 18 = 0;
  std::uint32_t length : 14 = 0;
  std::uint32_t region : 20 = 0;
  std::uint32_t uses : 2 = 0;
  std::uint32_t gone : 1 = 0;
  std::uint32_t used : 1 = 0;
};
static_assert(sizeof(Slot) == 12);

std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 24); }

Place place_of(const Slot& slot) {
  return {.region = slot.region, .offset = slot.offset, .length = slot.length};
}

Slot slot_of(std::uint32_t tag, const Place& place, bool gone) {
  Slot slot;
  slot.tag = tag;
  slot.offset = place.offset & 0x3ffff;
  slot.length = place.length & 0x3fff;
  slot.region = place.region & 0xfffff;
  slot.gone = gone;
  slot.used = 1;
  return slot;
}

}  // namespace

class Index::Table {
 public:
  Slot* find(std::uint32_t tag) {
    if (slots_.empty()) return nullptr;
    for (std::size_t i = home(tag);; i = next(i)) {
      if (!slots_[i].used) return nullptr;
      if (slots_[i].tag == tag) return &slots_[i];
    }
  }
  void insert(const Slot& slot) {
    // Seven eighths at most; after growing by an eighth, more than three quarters.
    if (8 * (size_ + 1) > 7 * slots_.size()) grow();
    ++size_;
    place(slot);
  }
  void erase(Slot* slot) {
    --size_;
    std::size_t hole = static_cast<std::size_t>(slot - slots_.data());
    for (std::size_t i = next(hole); slots_[i].used; i = next(i)) {
      // It may move to the hole unless that is before its home.
      if (distance(home(slots_[i].tag), i) < distance(hole, i)) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = Slot();
  }
  template <class Which>
  std::size_t erase_if(Which which) {
    std::vector<Slot> kept;
    kept.reserve(size_);
    for (const Slot& slot : slots_)
      if (slot.used && !which(slot)) kept.push_back(slot);
    const std::size_t erased = size_ - kept.size();
    if (erased == 0) return 0;
    std::fill(slots_.begin(), slots_.end(), Slot());
    for (const Slot& slot : kept) place(slot);
    size_ = kept.size();
    return erased;
  }
  void clear() { *this = Table(); }
  std::size_t size() const { return size_; }
  std::uint64_t memory_bytes() const { return slots_.capacity() * sizeof(Slot); }

 private:
  std::size_t home(std::uint32_t tag) const {
    return static_cast<std::size_t>((std::uint64_t{tag} * slots_.size()) >> 32);
  }
  std::size_t next(std::size_t i) const { return i + 1 == slots_.size() ? 0 : i + 1; }
  std::size_t distance(std::size_t from, std::size_t to) const {
    return to >= from ? to - from : to + slots_.size() - from;
  }
  void place(const Slot& slot) {
    std::size_t i = home(slot.tag);
    while (slots_[i].used) i = next(i);
    slots_[i] = slot;
  }
  void grow() {
    std::vector<Slot> old(std::max<std::size_t>(16, slots_.size() + slots_.size() / 8));
    std::swap(old, slots_);
    for (const Slot& slot : old)
      if (slot.used) place(slot);
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

struct alignas(64) Index::Shard {
  base::Mutex mutex;
  Table table GUARDED_BY(mutex);
  std::size_t gone GUARDED_BY(mutex) = 0;
};

Index::Shard& Index::shard(std::uint64_t hash) const { return shards_[hash >> 56]; }

Index::Index() : shards_(std::make_unique<Shard[]>(kShards)) {}
Index::~Index() = default;

std::optional<Place> Index::find(std::uint64_t hash) {
  Shard& shard = this->shard(hash);
  const base::MutexLock lock(shard.mutex);
  Slot* slot = shard.table.find(tag_of(hash));
  if (slot == nullptr || slot->gone) return std::nullopt;
  if (slot->uses < kMaxUses) ++slot->uses;
  return place_of(*slot);
}

bool Index::contains(std::uint64_t hash) const {
  Shard& shard = this->shard(hash);
  const base::MutexLock lock(shard.mutex);
  const Slot* slot = shard.table.find(tag_of(hash));
  return slot != nullptr && !slot->gone;
}

void Index::put(std::uint64_t hash, Place place) {
  Shard& shard = this->shard(hash);
  const base::MutexLock lock(shard.mutex);
  const Slot now = slot_of(tag_of(hash), place, false);
  Slot* slot = shard.table.find(now.tag);
  if (slot == nullptr) return shard.table.insert(now);
  shard.gone -= slot->gone;
  *slot = now;
}

bool Index::put_older(std::uint64_t hash, Place place, bool gone) {
  Shard& shard = this->shard(hash);
  const base::MutexLock lock(shard.mutex);
  const Slot now = slot_of(tag_of(hash), place, gone);
  if (shard.table.find(now.tag) != nullptr) return false;
  shard.table.insert(now);
  shard.gone += gone;
  return true;
}

bool Index::erase(std::uint64_t hash, bool remembering) {
  Shard& shard = this->shard(hash);
  const base::MutexLock lock(shard.mutex);
  Slot* slot = shard.table.find(tag_of(hash));
  const bool was_there = slot != nullptr && !slot->gone;
  if (remembering) {
    if (slot == nullptr)
      shard.table.insert(slot_of(tag_of(hash), {}, true));
    else
      slot->gone = 1;
    shard.gone += slot == nullptr || was_there;
  } else if (was_there) {
    shard.table.erase(slot);
  }
  return was_there;
}

bool Index::erase_at(std::uint64_t hash, const Place& place) {
  Shard& shard = this->shard(hash);
  const base::MutexLock lock(shard.mutex);
  Slot* slot = shard.table.find(tag_of(hash));
  if (slot == nullptr || slot->gone || place_of(*slot) != place) return false;
  shard.table.erase(slot);
  return true;
}

std::optional<unsigned> Index::take_uses(std::uint64_t hash, const Place& place) {
  Shard& shard = this->shard(hash);
  const base::MutexLock lock(shard.mutex);
  Slot* slot = shard.table.find(tag_of(hash));
  if (slot == nullptr || slot->gone || place_of(*slot) != place) return std::nullopt;
  const unsigned uses = slot->uses;
  slot->uses = 0;
  return uses;
}

std::size_t Index::erase_region(std::uint32_t region) {
  std::size_t erased = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    const base::MutexLock lock(shard.mutex);
    erased += shard.table.erase_if(
        [region](const Slot& slot) { return !slot.gone && slot.region == region; });
  }
  return erased;
}

void Index::forget_gone() {
  for (std::size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    const base::MutexLock lock(shard.mutex);
    if (std::exchange(shard.gone, 0) == 0) continue;
    shard.table.erase_if([](const Slot& slot) { return slot.gone != 0; });
  }
}

void Index::clear() {
  for (std::size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    const base::MutexLock lock(shard.mutex);
    shard.table.clear();
    shard.gone = 0;
  }
}

std::size_t Index::size() const {
  std::size_t size = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    const base::MutexLock lock(shard.mutex);
    size += shard.table.size() - shard.gone;
  }
  return size;
}

std::uint64_t Index::memory_bytes() const {
  std::uint64_t bytes = sizeof(Index) + kShards * sizeof(Shard);
  for (std::size_t i = 0; i < kShards; ++i) {
    Shard& shard = shards_[i];
    const base::MutexLock lock(shard.mutex);
    bytes += shard.table.memory_bytes();
  }
  return bytes;
}

}  // namespace headgate::cache::disk
