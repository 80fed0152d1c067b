// SPDX-License-Identifier: MIT
// What has passed within one sliding window: a ring of (millisecond, number) records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace headgate::guard::waf {

/// Times are milliseconds of any clock that does not go backwards. Threads: one.
class RateWindow {
 public:
  /// Forgets what is as old as `window` or older.
  void expire(std::uint64_t now_ms, std::uint64_t window_ms) {
    while (count_ != 0 && oldest().at_ms + window_ms <= now_ms) {
      passed_ -= oldest().number;
      first_ = (first_ + 1) % capacity();
      --count_;
    }
    if (count_ == 0) shrink();
  }
  std::uint32_t passed() const { return passed_; }
  /// Of what has passed and is not expired; there is some.
  std::uint64_t oldest_ms() const { return records()[first_].at_ms; }

  void add(std::uint64_t now_ms) {
    ++passed_;
    if (count_ != 0 && newest().at_ms == now_ms) {
      ++newest().number;
      return;
    }
    if (count_ == capacity()) grow();
    records()[(first_ + count_) % capacity()] = {now_ms, 1};
    ++count_;
  }

  /// Octets beyond the object itself.
  std::size_t heap_bytes() const { return heap_ ? heap_capacity_ * sizeof(Record) : 0; }

 private:
  struct Record {
    std::uint64_t at_ms = 0;
    std::uint32_t number = 0;
  };
  // Most keys come once or twice.
  static constexpr std::uint32_t kInline = 2;

  std::uint32_t capacity() const { return heap_ ? heap_capacity_ : kInline; }
  Record* records() { return heap_ ? heap_.get() : inline_; }
  const Record* records() const { return heap_ ? heap_.get() : inline_; }
  Record& oldest() { return records()[first_]; }
  Record& newest() { return records()[(first_ + count_ - 1) % capacity()]; }

  void grow() {
    const std::uint32_t wider = capacity() * 2;
    std::unique_ptr<Record[]> moved(new Record[wider]);
    for (std::uint32_t i = 0; i < count_; ++i) moved[i] = records()[(first_ + i) % capacity()];
    heap_ = std::move(moved);
    heap_capacity_ = wider;
    first_ = 0;
  }
  void shrink() {
    heap_.reset();
    heap_capacity_ = 0;
    first_ = 0;
  }

  Record inline_[kInline];
  std::unique_ptr<Record[]> heap_;
  std::uint32_t heap_capacity_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t passed_ = 0;
};

}  // namespace headgate::guard::waf
