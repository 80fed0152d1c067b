// SPDX-License-Identifier: MIT
#include "appliance/cache/disk/format.h"

#include <cstring>

#include "appliance/base/hash.h"

namespace headgate::cache::disk {
namespace {

template <class Part>
std::uint32_t crc_of(const Part& part) {
  static_assert(offsetof(Part, crc) + sizeof(part.crc) == sizeof(Part));
  return base::crc32c({reinterpret_cast<const char*>(&part), offsetof(Part, crc)});
}

}  // namespace

template <class Part>
std::string sealed(Part part) {
  part.crc = crc_of(part);
  return std::string(reinterpret_cast<const char*>(&part), sizeof(Part));
}

template <class Part>
bool unseal(std::string_view octets, Part& part) {
  const auto magic = Part().magic;
  if (octets.size() < sizeof(Part)) return false;
  std::memcpy(static_cast<void*>(&part), octets.data(), sizeof(Part));
  return part.magic == magic && part.crc == crc_of(part);
}

template std::string sealed(Superblock);
template std::string sealed(RegionHeader);
template std::string sealed(RecordHeader);
template std::string sealed(Trailer);
template bool unseal(std::string_view, Superblock&);
template bool unseal(std::string_view, RegionHeader&);
template bool unseal(std::string_view, RecordHeader&);
template bool unseal(std::string_view, Trailer&);

}  // namespace headgate::cache::disk
