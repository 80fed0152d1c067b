// SPDX-License-Identifier: MIT
// The memory of bodies that are held back while the rules of web ACLs look at them.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace headgate::guard {

/// `limits.maxHeldBodies`, shared by all workers. Threads: any.
class HeldBodies {
 public:
  explicit HeldBodies(std::uint64_t most) : most_(most) {}
  std::uint64_t octets() const { return octets_.load(std::memory_order_relaxed); }

  /// What one body takes of it, given back at its end. Threads: one.
  class Share {
   public:
    Share() = default;
    explicit Share(HeldBodies& all) : all_(&all) {}
    Share(Share&& other) noexcept
        : all_(std::exchange(other.all_, nullptr)), octets_(std::exchange(other.octets_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(all_, other.all_);
      std::swap(octets_, other.octets_);
      return *this;
    }
    ~Share() { release(); }

    /// False when that would be more than all together may take: nothing has been added then.
    [[nodiscard]] bool add(std::uint64_t octets) {
      const std::uint64_t before = all_->octets_.fetch_add(octets, std::memory_order_relaxed);
      if (before + octets > all_->most_) {
        all_->octets_.fetch_sub(octets, std::memory_order_relaxed);
        return false;
      }
      octets_ += octets;
      return true;
    }
    void release() {
      if (octets_ != 0)
        all_->octets_.fetch_sub(std::exchange(octets_, 0), std::memory_order_relaxed);
    }

   private:
    HeldBodies* all_ = nullptr;
    std::uint64_t octets_ = 0;
  };

 private:
  const std::uint64_t most_;
  std::atomic<std::uint64_t> octets_{0};
};

}  // namespace headgate::guard
