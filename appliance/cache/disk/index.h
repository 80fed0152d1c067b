// SPDX-License-Identifier: MIT
// Where on the disk a key's record lies: 12 octets an entry in tables that are three quarters full.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "appliance/base/mutex.h"

namespace headgate::cache::disk {

/// A place of a record. `offset` and `length` in units of kRecordUnit (format.h).
struct Place {
  std::uint32_t region = 0;  ///< below kMaxRegions
  std::uint32_t offset = 0;  ///< within the region, below 2^18
  std::uint32_t length = 0;  ///< below 2^14
  bool operator==(const Place&) const = default;
};

/// Of a key only 40 bits are kept: who reads a record compares its key. Two keys with the same bits
/// displace each other (in 10 million, one pair in 100,000 look-ups' worth of luck): a miss, never
/// a wrong answer. Threads: any; sharded.
class Index {
 public:
  static constexpr std::uint32_t kMaxRegions = 1 << 20;  ///< 64 TiB of regions of 64 MiB

  Index();
  ~Index();

  /// Counts a use, of at most 3.
  std::optional<Place> find(std::uint64_t hash);
  /// The same without counting it.
  bool contains(std::uint64_t hash) const;
  /// In place of what the key had.
  void put(std::uint64_t hash, Place place);
  /// Recovery goes from the newest record to the oldest: only what nobody knows better counts.
  /// `gone`: the key has no record, whatever older ones say, until `forget_gone`.
  bool put_older(std::uint64_t hash, Place place, bool gone);
  /// Removes the key; while `remembering` so that `put_older` does not bring it back.
  bool erase(std::uint64_t hash, bool remembering);
  /// Removes the key only if its record is at `place`.
  bool erase_at(std::uint64_t hash, const Place& place);
  /// Uses of the record at `place`, which then begin anew; nothing when the key's is elsewhere.
  std::optional<unsigned> take_uses(std::uint64_t hash, const Place& place);
  /// Removes every record in `region`. Slow: looks at all.
  std::size_t erase_region(std::uint32_t region);
  /// Recovery is at its end.
  void forget_gone();
  void clear();

  std::size_t size() const;
  std::uint64_t memory_bytes() const;

 private:
  class Table;
  static constexpr std::size_t kShards = 256;
  struct Shard;
  Shard& shard(std::uint64_t hash) const;

  std::unique_ptr<Shard[]> shards_;
};

}  // namespace headgate::cache::disk
