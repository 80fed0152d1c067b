// SPDX-License-Identifier: MIT
#include "appliance/base/block_pool.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace headgate::base {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeeps = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif
#else
constexpr bool kKeeps = true;
#endif

}  // namespace

BlockPool::~BlockPool() {
  for (Header* header : free_)
    while (header != nullptr) std::free(std::exchange(header, header->next));
}

void* BlockPool::allocate(std::size_t size) {
  std::size_t rank = kHeap;
  if (kKeeps && size <= kLargest) {
    rank = size == 0 ? 0 : (size - 1) / kStep;
    size = (rank + 1) * kStep;
    if (Header* const header = free_[rank]; header != nullptr) {
      free_[rank] = header->next;
      kept_ -= size;
      return header + 1;
    }
  }
  if (size > SIZE_MAX - sizeof(Header)) return nullptr;
  auto* const header = static_cast<Header*>(std::malloc(sizeof(Header) + size));
  if (header == nullptr) return nullptr;
  header->rank = rank;
  header->size = size;
  return header + 1;
}

void* BlockPool::allocate_zeros(std::size_t size) {
  void* const block = allocate(size);
  if (block != nullptr) std::memset(block, 0, size);
  return block;
}

void* BlockPool::resize(void* block, std::size_t size) {
  if (block == nullptr) return allocate(size);
  const Header& header = *header_of(block);
  if (header.rank != kHeap && size <= header.size) return block;
  void* const larger = allocate(size);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, block, std::min(size, header.size));
  release(block);
  return larger;
}

void BlockPool::release(void* block) {
  if (block == nullptr) return;
  Header* const header = header_of(block);
  if (header->rank == kHeap || kept_ + header->size > kMaxKept) return std::free(header);
  header->next = std::exchange(free_[header->rank], header);
  kept_ += header->size;
}

}  // namespace headgate::base
