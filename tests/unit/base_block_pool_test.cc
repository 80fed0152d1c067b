// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "appliance/base/block_pool.h"

using headgate::base::BlockPool;

namespace {

/// Whether this build hands every block to the heap, so that AddressSanitizer sees it.
bool keeps_nothing() {
  BlockPool pool;
  pool.release(pool.allocate(100));
  return pool.kept() == 0;
}

bool is_zero(const void* block, std::size_t size) {
  const auto* octets = static_cast<const char*>(block);
  return std::all_of(octets, octets + size, [](char octet) { return octet == 0; });
}

}  // namespace

TEST_CASE("a block that was given back goes to the next one who asks for its size") {
  if (keeps_nothing()) return;
  BlockPool pool;
  void* const first = pool.allocate(100);
  void* const second = pool.allocate(100);
  CHECK(first != second);
  pool.release(first);
  CHECK(pool.kept() == 128);
  CHECK(pool.allocate(65) == first);
  CHECK(pool.kept() == 0);
  pool.release(first);
  void* const smaller = pool.allocate(64);
  CHECK(smaller != first);
  pool.release(smaller);
  pool.release(second);
  CHECK(pool.kept() == 128 + 128 + 64);
}

TEST_CASE("blocks of every size are aligned, whole, and apart from each other") {
  BlockPool pool;
  std::vector<std::pair<void*, std::size_t>> blocks;
  for (int round = 0; round < 2; ++round) {
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64},
                             std::size_t{65}, BlockPool::kLargest, BlockPool::kLargest + 1}) {
      void* const block = pool.allocate(size);
      REQUIRE(block != nullptr);
      CHECK(reinterpret_cast<std::uintptr_t>(block) % alignof(std::max_align_t) == 0);
      std::memset(block, static_cast<int>(blocks.size() + 1), size);
      blocks.emplace_back(block, size);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto* octets = static_cast<const char*>(blocks[i].first);
      CHECK(std::count(octets, octets + blocks[i].second, static_cast<char>(i + 1)) ==
            static_cast<std::ptrdiff_t>(blocks[i].second));
      pool.release(blocks[i].first);
    }
    blocks.clear();
  }
}

TEST_CASE("zeros are zeros also in a block that somebody has used") {
  BlockPool pool;
  void* const used = pool.allocate(500);
  std::memset(used, 0xff, 500);
  pool.release(used);
  void* const zeros = pool.allocate_zeros(500);
  CHECK(is_zero(zeros, 500));
  pool.release(zeros);
}

TEST_CASE("a block that grows keeps what is in it") {
  BlockPool pool;
  auto* block = static_cast<char*>(pool.resize(nullptr, 10));
  std::memcpy(block, "0123456789", 10);
  for (const std::size_t size : {std::size_t{64}, std::size_t{65}, BlockPool::kLargest + 1,
                                 2 * BlockPool::kLargest, std::size_t{20}}) {
    block = static_cast<char*>(pool.resize(block, size));
    CHECK(std::memcmp(block, "0123456789", 10) == 0);
  }
  pool.release(block);
  pool.release(nullptr);
}

TEST_CASE("what nobody uses is kept up to a limit only") {
  BlockPool pool;
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < 2 * BlockPool::kMaxKept / BlockPool::kLargest; ++i)
    blocks.push_back(pool.allocate(BlockPool::kLargest));
  for (void* block : blocks) pool.release(block);
  CHECK(pool.kept() <= BlockPool::kMaxKept);
}

TEST_CASE("what the system does not have is null") {
  BlockPool pool;
  CHECK(pool.allocate(SIZE_MAX) == nullptr);
  void* const block = pool.allocate(10);
  CHECK(pool.resize(block, SIZE_MAX - 8) == nullptr);
  pool.release(block);
}
