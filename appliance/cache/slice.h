// SPDX-License-Identifier: MIT
// Slices: how a response that is too large to be stored in one piece lies in the Store. cache.md
// sections 4.2 and 4.8.
#pragma once

#include <cstdint>
#include <string>

#include "appliance/cache/response.h"

namespace headgate::cache {

inline constexpr std::uint64_t kSliceBytes = std::uint64_t{1} << 20;

/// Octets [first, end) of the whole that slice number `index` holds.
struct SliceRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};
SliceRange slice_range(const Sliced& sliced, std::uint64_t index);

/// Names one slice of a response that is `in_slices`. Only who has the whole can name them, so
/// they need no look-up among purges: a whole that was purged is not found, and one that was
/// fetched again has another id.
class SliceKey {
 public:
  SliceKey(const StoredResponse& whole, std::uint64_t index);
  /// Valid as long as this and `whole`.
  const Key& key() const { return key_; }
  SliceKey(const SliceKey&) = delete;
  SliceKey& operator=(const SliceKey&) = delete;

 private:
  const std::string text_;
  const Key key_;
};

}  // namespace headgate::cache
