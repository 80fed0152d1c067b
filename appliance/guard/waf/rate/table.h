// SPDX-License-Identifier: MIT
// Exact sliding windows: how many requests of a key have passed within the last so many
// milliseconds, for more keys than anybody can hold in memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "appliance/base/hash.h"
#include "appliance/base/mutex.h"
#include "appliance/base/time.h"

namespace headgate::guard::waf {

/// Counts what passes: a request that does not pass is not counted, so a client that waits for as
/// long as it was told passes again.
///
/// Keys are hashes of a rule's identity and of what it tells clients apart by, so that they survive
/// a configuration that leaves the rule as it was, and that a changed rule begins anew.
///
/// Memory is bounded. At the bound the key that has not come for longest is forgotten, and its
/// count begins anew: keys that keep coming, which are those that a limit is for, stay. Windows are
/// exact to the millisecond; requests of one millisecond share a record, so that a key needs at
/// most as many records as its limit allows requests. Above `kExactLimit` a record is for a 4096th
/// of the window: never do more than `limit` pass within one, but a place may come free so much
/// later.
///
/// Threads: any. A shard's mutex is held for the length of one look-up.
class RateTable {
 public:
  static constexpr std::uint32_t kExactLimit = 4096;
  struct Options {
    std::size_t max_bytes = std::size_t{64} << 20;
    std::size_t shards = 64;  ///< a power of two
  };
  struct Stats {
    std::size_t keys = 0;
    std::size_t bytes = 0;
    std::uint64_t forgotten = 0;  ///< keys that had to go at the bound
  };

  explicit RateTable(Options options);
  RateTable() : RateTable(Options{}) {}
  ~RateTable();
  RateTable(const RateTable&) = delete;
  RateTable& operator=(const RateTable&) = delete;

  /// Takes one of the `limit` places of `key` in the `window` that ends `now`, if one is free.
  /// Returns zero then, else the time until one will be.
  Duration take(const base::Hash128& key, std::uint32_t limit, Duration window, base::MonoTime now);

  Stats stats() const;

 private:
  struct Shard;
  Shard& shard_of(const base::Hash128& key) const;

  std::size_t shard_mask_;
  std::size_t max_bytes_of_shard_;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace headgate::guard::waf
