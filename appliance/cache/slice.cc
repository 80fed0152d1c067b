// SPDX-License-Identifier: MIT
#include "appliance/cache/slice.h"

#include <fmt/format.h>

#include <algorithm>

namespace headgate::cache {

SliceRange slice_range(const Sliced& sliced, std::uint64_t index) {
  const std::uint64_t first = index * kSliceBytes;
  return {.first = first, .end = std::min(first + kSliceBytes, sliced.length)};
}

// The other lines of a key begin with a name and a colon or with a slash
// (snapshot/request/cache_key): none is like this one.
SliceKey::SliceKey(const StoredResponse& whole, std::uint64_t index)
    : text_(fmt::format("{}\nslice {:016x} {}", whole.key_text(), whole.sliced()->id, index)),
      key_{.hash = base::hash128(text_),
           .text = text_,
           .distribution = whole.distribution(),
           .path = whole.path()} {}

}  // namespace headgate::cache
