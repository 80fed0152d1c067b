// SPDX-License-Identifier: MIT
// A hash table in one block: open addressing, linear probing, deletion by shifting back. For hashes
// that are already well mixed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace headgate::cache {

/// `Value()` marks an empty slot and cannot be stored. Several values may have one hash:
/// `matches(value)` tells them apart. Threads: none of its own.
template <class Value>
class FlatTable {
 public:
  struct Slot {
    std::uint64_t hash = 0;
    Value value{};
  };

  /// Null when there is none. Valid until the next insert or erase.
  template <class Matches>
  Slot* find(std::uint64_t hash, Matches matches) {
    if (capacity_ == 0) return nullptr;
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      Slot& slot = slots_[i];
      if (slot.value == Value()) return nullptr;
      if (slot.hash == hash && matches(slot.value)) return &slot;
    }
  }

  void insert(std::uint64_t hash, Value value) {
    // At most three quarters full: probes stay short, and one slot is always empty.
    if (4 * (size_ + 1) > 3 * capacity_) grow();
    ++size_;
    place(hash, std::move(value));
  }

  void erase(Slot* slot) {
    --size_;
    std::size_t hole = static_cast<std::size_t>(slot - slots_.get());
    for (std::size_t i = (hole + 1) & mask(); !(slots_[i].value == Value()); i = (i + 1) & mask()) {
      // What lies cyclically between its home and here may fill the hole only if the hole is not
      // before its home.
      const std::size_t home = slots_[i].hash & mask();
      if (((i - home) & mask()) < ((i - hole) & mask())) continue;
      if (hole > i) ++wraps_;
      slots_[hole] = std::move(slots_[i]);
      hole = i;
    }
    slots_[hole] = Slot();
  }

  template <class Use>
  void for_each(Use use) {
    for (std::size_t i = 0; i < capacity_; ++i)
      if (!(slots_[i].value == Value())) use(slots_[i].value);
  }

  /// Null when the slot is empty. Who goes through all slots from the last to the first, with
  /// changes in between, misses nothing that was there at the start: erasing moves values to lower
  /// slots only, but for those that `wraps` counts; growing changes `capacity`.
  Value at(std::size_t index) const { return slots_[index].value; }
  std::size_t capacity() const { return capacity_; }
  std::uint64_t wraps() const { return wraps_; }

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const { return capacity_ * sizeof(Slot); }

 private:
  std::size_t mask() const { return capacity_ - 1; }

  void place(std::uint64_t hash, Value value) {
    std::size_t i = hash & mask();
    while (!(slots_[i].value == Value())) i = (i + 1) & mask();
    slots_[i] = Slot{.hash = hash, .value = std::move(value)};
  }

  void grow() {
    const std::unique_ptr<Slot[]> old = std::move(slots_);
    const std::size_t old_capacity = capacity_;
    capacity_ = capacity_ == 0 ? 16 : 2 * capacity_;
    slots_ = std::make_unique<Slot[]>(capacity_);
    for (std::size_t i = 0; i < old_capacity; ++i)
      if (!(old[i].value == Value())) place(old[i].hash, std::move(old[i].value));
  }

  std::unique_ptr<Slot[]> slots_;
  std::size_t capacity_ = 0;  // a power of two, or none yet
  std::size_t size_ = 0;
  std::uint64_t wraps_ = 0;  // values moved from the first slots to the last ones
};

}  // namespace headgate::cache
