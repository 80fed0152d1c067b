// SPDX-License-Identifier: MIT
// Memory for many small things that come and go: what one gives back, the next one of its size
// takes, without a walk through the heap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace headgate::base {

/// Blocks are aligned for anything and know their size, as malloc's do. Up to `kMaxKept` octets of
/// blocks that nobody uses are kept; what is larger than `kLargest` is the heap's at once.
/// With AddressSanitizer every block is the heap's, so that it sees what is used after its end.
/// Threads: one at a time, all blocks given back before the pool ends.
class BlockPool {
 public:
  static constexpr std::size_t kLargest = 8192;
  static constexpr std::size_t kMaxKept = std::size_t{4} << 20;

  BlockPool() = default;
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// `size` octets, whatever is in them; null when the system has none.
  void* allocate(std::size_t size);
  /// `size` zeros.
  void* allocate_zeros(std::size_t size);
  /// As realloc: null leaves `block` as it is.
  void* resize(void* block, std::size_t size);
  /// `block` may be null.
  void release(void* block);

  /// Octets that are kept for the next ones who ask.
  std::size_t kept() const { return kept_; }

 private:
  /// Before each block. A multiple of what malloc aligns to, so that the block is aligned as well.
  struct alignas(std::max_align_t) Header {
    std::size_t rank;  ///< in `free_`; kHeap
    std::size_t size;  ///< of the block, after its header
    Header* next;      ///< while nobody uses it
  };
  static constexpr std::size_t kStep = 64;
  static constexpr std::size_t kRanks = kLargest / kStep;
  static constexpr std::size_t kHeap = kRanks;

  static Header* header_of(void* block) { return static_cast<Header*>(block) - 1; }

  std::array<Header*, kRanks> free_{};
  std::size_t kept_ = 0;
};

/// Containers that take their memory from a BlockPool.
class BlockMemory final : public std::pmr::memory_resource {
 public:
  explicit BlockMemory(BlockPool& blocks) : blocks_(blocks) {}

 private:
  void* do_allocate(std::size_t size, std::size_t) override {
    void* const block = blocks_.allocate(size);
    if (block == nullptr) throw std::bad_alloc();
    return block;
  }
  void do_deallocate(void* block, std::size_t, std::size_t) override { blocks_.release(block); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  BlockPool& blocks_;
};

}  // namespace headgate::base
