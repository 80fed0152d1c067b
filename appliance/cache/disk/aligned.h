// SPDX-License-Identifier: MIT
// Memory that a device can be read into and written from without the page cache in between.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string_view>

namespace headgate::cache::disk {

/// Octets that begin at a multiple of a page; not initialised.
class AlignedOctets {
 public:
  static constexpr std::size_t kAlignment = 4096;

  explicit AlignedOctets(std::size_t size)
      : size_(size),
        data_(static_cast<char*>(::operator new(size, std::align_val_t(kAlignment)))) {}

  char* data() { return data_.get(); }
  std::size_t size() const { return size_; }
  std::span<char> span() { return {data_.get(), size_}; }
  std::string_view text() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(char* data) const { ::operator delete(data, std::align_val_t(kAlignment)); }
  };
  std::size_t size_;
  std::unique_ptr<char, Free> data_;
};

}  // namespace headgate::cache::disk
