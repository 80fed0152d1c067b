// SPDX-License-Identifier: MIT
// The cache tags that an origin gave a response, as hashes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::cache {

/// Of a tag or another label, in lower case. Two with one hash purge each other: too much, never
/// too little.
std::uint64_t label_hash(std::string_view lower_case);

/// Tags of Surrogate-Key (separated by spaces) and Cache-Tag (by commas), case ignored.
/// CloudFront's limits: 50 of at most 256 octets; a response with more, or longer ones, counts as
/// having every tag, so that no purge misses it. Eight octets when there are none. Threads:
/// immutable.
class TagSet {
 public:
  static constexpr std::size_t kMaxTags = 50;
  static constexpr std::size_t kMaxTagOctets = 256;

  TagSet() = default;
  explicit TagSet(http::Fields fields);

  bool empty() const { return hashes_ == nullptr; }
  bool contains_all() const { return !empty() && hashes_[0] == kAll; }
  /// Calls `use(hash)` for each; of no use when `contains_all`.
  template <class Use>
  void each(Use use) const {
    for (std::uint64_t i = 1; !empty() && i <= hashes_[0]; ++i) use(hashes_[i]);
  }
  bool contains(std::uint64_t hash) const;
  std::size_t memory_bytes() const;

 private:
  static constexpr std::uint64_t kAll = UINT64_MAX;
  std::unique_ptr<std::uint64_t[]> hashes_;  ///< their number (or kAll), then they
};

}  // namespace headgate::cache
