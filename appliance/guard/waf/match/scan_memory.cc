// SPDX-License-Identifier: MIT
// ScanMemory.
#include "appliance/guard/waf/match/scan_memory.h"

#include "appliance/base/hash.h"

namespace headgate::guard::waf {

std::size_t ScanMemory::place_of(std::uint64_t owner, std::string_view text) {
  return (base::hash128(text).low ^ owner * 0x9e3779b97f4a7c15u) % kPlaces;
}

const std::vector<std::uint32_t>* ScanMemory::find(std::uint64_t owner,
                                                   std::string_view text) const {
  if (text.size() > kLongest || places_.empty()) return nullptr;
  const Place& place = places_[place_of(owner, text)];
  return place.owner == owner && place.text == text ? &place.results : nullptr;
}

void ScanMemory::remember(std::uint64_t owner, std::string_view text,
                          const std::vector<std::uint32_t>& results) {
  if (text.size() > kLongest || results.size() > kMost) return;
  if (places_.empty()) places_.resize(kPlaces);
  Place& place = places_[place_of(owner, text)];
  place.owner = owner;
  place.text = text;
  place.results = results;
}

}  // namespace headgate::guard::waf
