// SPDX-License-Identifier: MIT
// A hash table of pointers in eight octets a slot: sixteen bits of the hash in a pointer's unused
// ones. Internal to appliance/cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "appliance/base/assert.h"

namespace headgate::cache {

/// Open addressing, linear probing, deletion by shifting back. `hash_of(value)` gives the lower
/// half of the hash that a value was inserted with; values of one hash are told apart by `matches`.
/// Threads: none of its own.
template <class Value, class HashOf>
class KeyTable {
 public:
  class Slot {
   public:
    Value* value() const { return reinterpret_cast<Value*>(word_ & kPointer); }
    void set(Value* value) { word_ = (word_ & ~kPointer) | pointer(value); }

   private:
    friend class KeyTable;
    static std::uint64_t pointer(Value* value) {
      const auto word = reinterpret_cast<std::uintptr_t>(value);
      HG_ASSERT((word & ~kPointer) == 0);
      return word;
    }
    bool empty() const { return (word_ & kPointer) == 0; }
    std::uint64_t tag() const { return word_ & ~kPointer; }

    std::uint64_t word_ = 0;
  };

  /// Null when there is none. Valid until the next insert or erase.
  template <class Matches>
  Slot* find(std::uint64_t hash, Matches matches) {
    if (capacity_ == 0) return nullptr;
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      Slot& slot = slots_[i];
      if (slot.empty()) return nullptr;
      if (slot.tag() == (hash & ~kPointer) && matches(*slot.value())) return &slot;
    }
  }
  /// The slot of a value whose hash is not known in full.
  template <class Matches>
  Slot* find_short(std::uint32_t hash, Matches matches) {
    if (capacity_ == 0) return nullptr;
    for (std::size_t i = hash & mask(); !slots_[i].empty(); i = (i + 1) & mask())
      if (matches(*slots_[i].value())) return &slots_[i];
    return nullptr;
  }

  void insert(std::uint64_t hash, Value* value) {
    // At most three quarters full: probes stay short, and one slot is always empty.
    if (4 * (size_ + 1) > 3 * capacity_) grow();
    ++size_;
    Slot slot;
    slot.word_ = (hash & ~kPointer) | Slot::pointer(value);
    place(static_cast<std::uint32_t>(hash), slot);
  }

  void erase(Slot* slot) {
    --size_;
    std::size_t hole = static_cast<std::size_t>(slot - slots_.get());
    for (std::size_t i = (hole + 1) & mask(); !slots_[i].empty(); i = (i + 1) & mask()) {
      // What lies cyclically between its home and here may fill the hole only if the hole is not
      // before its home.
      const std::size_t home = HashOf()(*slots_[i].value()) & mask();
      if (((i - home) & mask()) < ((i - hole) & mask())) continue;
      if (hole > i) ++wraps_;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = Slot();
  }

  /// Null when the slot is empty. Who goes through all slots from the last to the first, with
  /// changes in between, misses nothing that was there at the start: erasing moves values to lower
  /// slots only, but for those that `wraps` counts; growing changes `capacity`.
  Value* at(std::size_t index) const { return slots_[index].value(); }
  std::size_t capacity() const { return capacity_; }
  std::uint64_t wraps() const { return wraps_; }

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const { return capacity_ * sizeof(Slot); }

 private:
  static constexpr std::uint64_t kPointer = (std::uint64_t{1} << 48) - 1;
  static constexpr std::size_t kMostSlots = std::size_t{1} << 32;

  std::size_t mask() const { return capacity_ - 1; }

  void place(std::uint32_t hash, Slot slot) {
    std::size_t i = hash & mask();
    while (!slots_[i].empty()) i = (i + 1) & mask();
    slots_[i] = slot;
  }

  void grow() {
    const std::unique_ptr<Slot[]> old = std::move(slots_);
    const std::size_t old_capacity = capacity_;
    capacity_ = capacity_ == 0 ? 16 : 2 * capacity_;
    HG_ASSERT(capacity_ <= kMostSlots);
    slots_ = std::make_unique<Slot[]>(capacity_);
    for (std::size_t i = 0; i < old_capacity; ++i)
      if (!old[i].empty()) place(HashOf()(*old[i].value()), old[i]);
  }

  std::unique_ptr<Slot[]> slots_;
  std::size_t capacity_ = 0;  // a power of two, or none yet
  std::size_t size_ = 0;
  std::uint64_t wraps_ = 0;  // values moved from the first slots to the last ones
};

}  // namespace headgate::cache
