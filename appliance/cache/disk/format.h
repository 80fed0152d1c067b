// SPDX-License-Identifier: MIT
// How records lie on the disk.
//
//   device  := superblock superblock region*          a superblock takes 4 KiB, a region 64 MiB
//   region  := header record* (footer trailer)?       footer and trailer once it is full
//   record  := RecordHeader key value, padded to 512  key and value as given, crc32c over both
//   footer  := FooterEntry*, padded to 512            trailer in the region's last 512 octets
//
// Example: a region in use, of which 1,000 octets are one record:
//   0 RegionHeader · 4096 RecordHeader "shop /a" value · 5632 (nothing yet)
//
// Nothing is updated in place: a region is written from its beginning to its end, then never until
// it is the oldest and begins anew, under a higher sequence and a random number, its life's. Every
// part names that, so what a former life or a torn write has left is told by a comparison and a
// checksum.
// Good: writes are sequential, a crash costs the last records only, nothing is repaired. Bad: a
// record costs half a unit of padding on average, and what is removed keeps its room until its
// region is the oldest.
//
// Integers are little-endian.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace headgate::cache::disk {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::uint32_t kFormatVersion = 2;
inline constexpr std::uint64_t kRecordUnit = 512;
inline constexpr std::uint64_t kRegionHeaderBytes = 4096;
inline constexpr std::uint64_t kSuperblockBytes = 4096;

struct Superblock {
  std::array<char, 8> magic = {'H', 'G', 'D', 'I', 'S', 'K', '\r', '\n'};
  std::uint32_t version = kFormatVersion;
  std::uint32_t region_count = 0;
  std::uint64_t region_bytes = 0;
  std::uint64_t hash_seed = 0;  ///< of keys; random for each device
  std::uint64_t device_id = 0;  ///< random: what belongs to another life of the device is foreign
  std::uint64_t ledger_id = 0;  ///< whose purges hold for what is here
  std::uint32_t runs = 0;       ///< how often it was opened
  std::uint32_t crc = 0;        ///< of all before
};
static_assert(sizeof(Superblock) == 56);

struct RegionHeader {
  std::uint32_t magic = 0x52474748;  ///< "HGGR"
  std::uint32_t reserved = 0;
  std::uint64_t device_id = 0;
  std::uint64_t sequence = 0;  ///< in the order of the regions' lives; from 1 on
  std::uint64_t life = 0;      ///< random: told from every other life, also one that was lost
  std::uint32_t reserved_too = 0;
  std::uint32_t crc = 0;
};
static_assert(sizeof(RegionHeader) == 40);

enum class RecordKind : std::uint16_t {
  Value = 1,
  Gone = 2,  ///< what older records say of the key is void
};

struct RecordHeader {
  std::uint32_t magic = 0x44474748;  ///< "HGGD"
  RecordKind kind = RecordKind::Value;
  std::uint16_t reserved = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
  std::uint64_t life = 0;   ///< of its region
  std::uint64_t hash = 0;   ///< of the key
  std::uint64_t epoch = 0;  ///< of the response's stamp: how old its question is
  std::uint32_t content_crc = 0;
  std::uint32_t crc = 0;
};
static_assert(sizeof(RecordHeader) == 48);

struct FooterEntry {
  std::uint64_t hash = 0;
  std::uint32_t offset = 0;  ///< in units, from the region's beginning
  std::uint16_t length = 0;  ///< in units
  RecordKind kind = RecordKind::Value;
};
static_assert(sizeof(FooterEntry) == 16);

struct Trailer {
  std::uint32_t magic = 0x46474748;  ///< "HGGF"
  std::uint32_t entries = 0;
  std::uint64_t life = 0;
  std::uint64_t oldest_epoch = 0;   ///< the least of its records
  std::uint32_t footer_offset = 0;  ///< in units
  std::uint32_t footer_crc = 0;
  std::uint32_t reserved = 0;
  std::uint32_t crc = 0;
};
static_assert(sizeof(Trailer) == 40);

/// The bytes of one of these with its `crc` set.
template <class Part>
std::string sealed(Part part);
/// The part at the beginning of `octets`, if it is whole and no other.
template <class Part>
bool unseal(std::string_view octets, Part& part);

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}
/// Octets that a record takes.
constexpr std::uint64_t record_bytes(std::uint64_t key_bytes, std::uint64_t value_bytes) {
  return round_up(sizeof(RecordHeader) + key_bytes + value_bytes, kRecordUnit);
}
constexpr std::uint64_t footer_bytes(std::uint64_t entries) {
  return round_up(entries * sizeof(FooterEntry), kRecordUnit) + kRecordUnit;
}

}  // namespace headgate::cache::disk
