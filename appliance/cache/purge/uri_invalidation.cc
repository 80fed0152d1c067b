// SPDX-License-Identifier: MIT
#include "appliance/cache/purge/uri_invalidation.h"

#include "appliance/base/hash.h"

namespace headgate::cache {

std::uint64_t uri_hash(std::string_view distribution, std::string_view path) {
  // Two hashes and a rotation instead of a joined string: this runs for every stored response.
  const std::uint64_t owner = base::hash128(distribution).low;
  return base::hash128(path).low ^ (owner << 1 | owner >> 63);
}

UriInvalidations::UriInvalidations()
    : places_(std::make_unique<std::array<Place, kPlaces>>()) {}  // every place is 0
UriInvalidations::~UriInvalidations() = default;

void UriInvalidations::invalidate(std::uint64_t uri) {
  const std::uint64_t change = count_.fetch_add(1, std::memory_order_acq_rel) + 1;
  Place& place = (*places_)[uri % kPlaces];
  std::uint64_t last = place.load(std::memory_order_relaxed);
  while (last < change && !place.compare_exchange_weak(last, change, std::memory_order_acq_rel)) {
  }
}

}  // namespace headgate::cache
