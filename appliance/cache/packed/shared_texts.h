// SPDX-License-Identifier: MIT
// Texts that many stored responses have, kept once: the same server sends the same fields.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/cache/policy/flat_table.h"

namespace headgate::cache {

/// A text is worth a number of two octets when it has come several times; how often of late is
/// remembered of more texts than there are numbers for. While numbers are plentiful a few times
/// will do, so that what comes first does not keep out what comes most. A number stands for its
/// text as long as somebody uses it.
///
/// Threads: any. `text` takes no lock, for the numbers that the caller uses.
class SharedTexts {
 public:
  using Number = std::uint16_t;
  static constexpr Number kNone = 0;
  static constexpr std::size_t kLongest = 4096;

  /// Takes at most some 1.5 % of the cache's budget, or 16 KiB of a small one, and 3.5 MiB.
  explicit SharedTexts(std::uint64_t budget_bytes);
  ~SharedTexts();
  SharedTexts(const SharedTexts&) = delete;
  SharedTexts& operator=(const SharedTexts&) = delete;

  /// A use of `text`, to be given back. kNone: it is not shared, or not yet.
  Number take(std::string_view text);
  void give_back(Number number);
  std::string_view text(Number number) const {
    const Text* text = by_number_[number].load(std::memory_order_relaxed);
    return {text->octets(), text->size};
  }

  std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  std::uint64_t memory_bytes() const;

 private:
  static constexpr std::size_t kParts = 16;
  /// Its octets lie behind it.
  struct Text {
    const std::uint64_t hash;
    const std::uint32_t size;
    /// Only who has the part's mutex changes it from or to 0.
    std::atomic<std::uint32_t> uses;
    const Number number;

    const char* octets() const { return reinterpret_cast<const char*>(this + 1); }
  };
  /// How often the latest text of those with this place came: a tag in the upper 24 bits, a count.
  using Seen = std::uint32_t;

  struct Part {
    base::Mutex mutex;
    FlatTable<Text*> texts GUARDED_BY(mutex);
    std::vector<Number> free GUARDED_BY(mutex);
    std::unique_ptr<Seen[]> seen GUARDED_BY(mutex);
  };

  bool is_worth_it(Part& part, std::uint64_t hash) REQUIRES(part.mutex);

  const std::size_t numbers_a_part_;
  const std::size_t seen_a_part_;
  const std::uint64_t most_bytes_;
  const std::unique_ptr<std::atomic<Text*>[]> by_number_;
  std::array<Part, kParts> parts_;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> bytes_{0};  ///< of the texts
};

}  // namespace headgate::cache
