// SPDX-License-Identifier: MIT
// The cache tags that an origin gave a response, as hashes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::cache {

/// Of a tag or another label, in lower case. Two with one hash purge each other: too much, never
/// too little.
std::uint64_t label_hash(std::string_view lower_case);

/// Tags of Surrogate-Key (separated by spaces) and Cache-Tag (by commas), case ignored.
/// CloudFront's limits: 50 of at most 256 octets; a response with more, or longer ones, counts as
/// having every tag, so that no purge misses it. Threads: none of its own.
class TagSet {
 public:
  static constexpr std::size_t kMaxTags = 50;
  static constexpr std::size_t kMaxTagOctets = 256;

  explicit TagSet(http::Fields fields);

  /// As it lies in a response: `stored_count` hashes (none when it is all tags) of eight octets.
  static TagSet stored(const char* from, std::uint8_t count);
  static std::size_t stored_bytes(std::uint8_t count) {
    return count == kAll ? 0 : count * sizeof(std::uint64_t);
  }
  std::uint8_t stored_count() const { return count_; }
  std::size_t stored_bytes() const { return stored_bytes(count_); }
  /// Returns the end.
  char* store(char* to) const;

  bool empty() const { return count_ == 0; }
  bool contains_all() const { return count_ == kAll; }
  /// Calls `use(hash)` for each; of no use when `contains_all`.
  template <class Use>
  void each(Use use) const {
    for (std::size_t i = 0; i < count_; ++i) use(hashes_[i]);
  }
  bool contains(std::uint64_t hash) const;

 private:
  static constexpr std::uint8_t kAll = UINT8_MAX;

  TagSet() = default;
  void add_all(std::string_view value, char separator);
  void add(std::string_view tag);

  std::uint8_t count_ = 0;  ///< or kAll
  std::array<std::uint64_t, kMaxTags> hashes_;
};

}  // namespace headgate::cache
