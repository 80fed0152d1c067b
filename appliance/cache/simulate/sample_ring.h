// SPDX-License-Identifier: MIT
// Carries samples from the threads that answer requests to the one that looks at them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace headgate::cache {

/// A bounded queue without locks: each slot's turn says who may write or read it next (Vyukov,
/// "Bounded MPMC queue", 2010, with one reader). Threads: push from any, pop from one at a time.
class SampleRing {
 public:
  struct Sample {
    std::uint64_t id = 0;
    std::uint64_t bytes = 0;
    std::uint64_t object_bytes = 0;
  };

  SampleRing() : slots_(std::make_unique<Slot[]>(kSlots)) {
    for (std::size_t i = 0; i < kSlots; ++i) slots_[i].turn.store(i, std::memory_order_relaxed);
  }

  /// False: full, the sample is lost.
  bool push(Sample sample) {
    std::uint64_t place = next_push_.load(std::memory_order_relaxed);
    for (;;) {
      Slot& slot = slots_[place % kSlots];
      const std::uint64_t turn = slot.turn.load(std::memory_order_acquire);
      if (turn < place) return false;
      if (turn == place &&
          next_push_.compare_exchange_weak(place, place + 1, std::memory_order_relaxed)) {
        slot.sample = sample;
        slot.turn.store(place + 1, std::memory_order_release);
        return true;
      }
      if (turn > place) place = next_push_.load(std::memory_order_relaxed);
    }
  }

  /// False: empty.
  bool pop(Sample& sample) {
    Slot& slot = slots_[next_pop_ % kSlots];
    if (slot.turn.load(std::memory_order_acquire) != next_pop_ + 1) return false;
    sample = slot.sample;
    slot.turn.store(next_pop_ + kSlots, std::memory_order_release);
    ++next_pop_;
    return true;
  }

  static constexpr std::size_t kSlots = 8192;

 private:
  struct Slot {
    std::atomic<std::uint64_t> turn{0};
    Sample sample;
  };
  const std::unique_ptr<Slot[]> slots_;
  alignas(64) std::atomic<std::uint64_t> next_push_{0};
  alignas(64) std::uint64_t next_pop_ = 0;
};

}  // namespace headgate::cache
