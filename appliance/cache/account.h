// SPDX-License-Identifier: MIT
// Octets that are alive because somebody refers to them, whether they can still be found or not:
// what slow readers pin.
#pragma once

#include <atomic>
#include <cstdint>

#include "appliance/base/ref.h"

namespace headgate::cache {

/// Threads: any.
class MemoryAccount final : public base::RefCounted<MemoryAccount> {
 public:
  std::uint64_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }

  void add(std::uint64_t bytes) { live_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void remove(std::uint64_t bytes) { live_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> live_bytes_{0};
};

/// A part of an account, given back by the destructor. Set once, at most, for the life of what it
/// stands for. Threads: `set` from any, the first one counts; destroyed by the last owner.
class Charge {
 public:
  Charge() = default;
  ~Charge();
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;

  void set(const base::Ref<MemoryAccount>& account, std::uint64_t bytes);

 private:
  std::atomic<bool> taken_{false};
  base::Ref<MemoryAccount> account_;
  std::uint64_t bytes_ = 0;
};

}  // namespace headgate::cache
