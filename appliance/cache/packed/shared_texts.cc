// SPDX-License-Identifier: MIT
#include "appliance/cache/packed/shared_texts.h"

#include <algorithm>
#include <new>

#include "appliance/base/assert.h"
#include "appliance/base/hash.h"

namespace headgate::cache {
namespace {

constexpr std::uint64_t kBudgetPerNumber = std::uint64_t{16} << 10;
constexpr std::uint64_t kMostNumbers = std::uint64_t{16} << 10;
static_assert(kMostNumbers <= UINT16_MAX);
constexpr std::size_t kSeenPerNumber = 4;
constexpr std::uint64_t kTextBytesPerNumber = 128;

/// How often a text must come while less than half of the numbers are given away, and after that.
constexpr std::uint32_t kFewTimes = 4;
constexpr std::uint32_t kManyTimes = 64;
constexpr std::uint32_t kCount = 0xff;  // of a Seen
static_assert(kManyTimes < kCount);

std::size_t numbers_a_part(std::uint64_t budget_bytes, std::size_t parts) {
  const std::uint64_t all =
      std::clamp<std::uint64_t>(budget_bytes / kBudgetPerNumber, 4 * parts, kMostNumbers);
  return static_cast<std::size_t>(all) / parts;
}

}  // namespace

SharedTexts::SharedTexts(std::uint64_t budget_bytes)
    : numbers_a_part_(numbers_a_part(budget_bytes, kParts)),
      seen_a_part_(kSeenPerNumber * numbers_a_part_),
      most_bytes_(kTextBytesPerNumber * numbers_a_part_ * kParts),
      by_number_(std::make_unique<std::atomic<Text*>[]>(1 + numbers_a_part_ * kParts)) {
  Number next = kNone + 1;
  for (Part& part : parts_) {
    const base::MutexLock lock(part.mutex);
    part.seen = std::make_unique<Seen[]>(seen_a_part_);
    for (std::size_t i = 0; i < numbers_a_part_; ++i) part.free.push_back(next++);
  }
}

SharedTexts::~SharedTexts() {
  for (std::size_t i = 0; i <= numbers_a_part_ * kParts; ++i)
    ::operator delete(by_number_[i].load());
}

SharedTexts::Number SharedTexts::take(std::string_view text) {
  if (text.size() > kLongest) return kNone;
  const std::uint64_t hash = base::hash128(text).low;
  Part& part = parts_[hash % kParts];
  const base::MutexLock lock(part.mutex);
  const auto* slot = part.texts.find(
      hash, [text](const Text* t) { return std::string_view(t->octets(), t->size) == text; });
  if (slot != nullptr) {
    slot->value->uses.fetch_add(1, std::memory_order_relaxed);
    return slot->value->number;
  }
  if (!is_worth_it(part, hash) || part.free.empty() ||
      bytes_.load(std::memory_order_relaxed) + text.size() > most_bytes_)
    return kNone;
  void* block = ::operator new(sizeof(Text) + text.size());
  auto* added = new (block) Text{.hash = hash,
                                 .size = static_cast<std::uint32_t>(text.size()),
                                 .uses = 1,
                                 .number = part.free.back()};
  std::copy(text.begin(), text.end(), reinterpret_cast<char*>(added + 1));
  part.free.pop_back();
  part.texts.insert(hash, added);
  by_number_[added->number].store(added, std::memory_order_relaxed);
  bytes_.fetch_add(text.size(), std::memory_order_relaxed);
  size_.fetch_add(1, std::memory_order_relaxed);
  return added->number;
}

bool SharedTexts::is_worth_it(Part& part, std::uint64_t hash) {
  Seen& seen = part.seen[(hash >> 16) % seen_a_part_];
  const auto tag = static_cast<Seen>(hash >> 32) & ~kCount;
  const Seen times = (seen & ~kCount) == tag ? (seen & kCount) + 1 : 1;
  const bool plenty = 2 * part.free.size() > numbers_a_part_;
  if (times >= (plenty ? kFewTimes : kManyTimes)) {
    seen = tag;
    return true;
  }
  seen = tag | times;
  return false;
}

void SharedTexts::give_back(Number number) {
  Text* text = by_number_[number].load(std::memory_order_relaxed);
  HG_ASSERT(text != nullptr);
  std::uint32_t uses = text->uses.load(std::memory_order_relaxed);
  while (uses > 1)
    if (text->uses.compare_exchange_weak(uses, uses - 1, std::memory_order_release,
                                         std::memory_order_relaxed))
      return;
  Part& part = parts_[text->hash % kParts];
  const base::MutexLock lock(part.mutex);
  // Acquires what others did with it before they gave it back.
  if (text->uses.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  part.texts.erase(part.texts.find(text->hash, [text](const Text* t) { return t == text; }));
  part.free.push_back(number);
  by_number_[number].store(nullptr, std::memory_order_relaxed);
  bytes_.fetch_sub(text->size, std::memory_order_relaxed);
  size_.fetch_sub(1, std::memory_order_relaxed);
  ::operator delete(text);
}

std::uint64_t SharedTexts::memory_bytes() const {
  constexpr std::uint64_t kTableSlot = 2 * sizeof(FlatTable<Text*>::Slot);
  const std::uint64_t fixed =
      kParts * (numbers_a_part_ * (sizeof(Text*) + sizeof(Number)) + seen_a_part_ * sizeof(Seen));
  return sizeof *this + fixed + size() * (sizeof(Text) + kTableSlot) +
         bytes_.load(std::memory_order_relaxed);
}

}  // namespace headgate::cache
