// SPDX-License-Identifier: MIT
// Memory for the octets of one request: taken in blocks, given back at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace headgate::guard::waf {

/// Octets that live as long as the arena. Not movable while views into it exist elsewhere.
/// Threads: one.
class Arena {
 public:
  char* allocate(std::size_t size) {
    if (size > left_) grow(size);
    char* const at = next_;
    next_ += size;
    left_ -= size;
    return at;
  }
  std::string_view persist(std::string_view text) {
    if (text.empty()) return {};
    char* const at = allocate(text.size());
    std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }
  /// Forgets everything; the first block stays for the next request.
  void clear() {
    if (blocks_.size() > 1) blocks_.resize(1);
    next_ = blocks_.empty() ? nullptr : blocks_.front().get();
    left_ = blocks_.empty() ? 0 : kBlock;
    size_bytes_ = blocks_.empty() ? 0 : kBlock;
  }
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  static constexpr std::size_t kBlock = 16384;
  void grow(std::size_t size) {
    // The first block has the size that clear() counts with.
    const std::size_t block = blocks_.empty() && size <= kBlock ? kBlock : std::max(kBlock, size);
    if (blocks_.empty() && block != kBlock) add(kBlock);
    add(block);
  }
  void add(std::size_t size) {
    blocks_.push_back(std::unique_ptr<char[]>(new char[size]));  // not zeroed
    next_ = blocks_.back().get();
    left_ = size;
    size_bytes_ += size;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t size_bytes_ = 0;
};

}  // namespace headgate::guard::waf
