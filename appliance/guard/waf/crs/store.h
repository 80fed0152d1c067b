// SPDX-License-Identifier: MIT
// Variables that outlive a request: IP and GLOBAL.
#pragma once

#include <array>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "appliance/base/mutex.h"
#include "appliance/base/time.h"

namespace headgate::guard::waf {

/// Collections by key ("ip:192.0.2.1_…"), each a few variables, some of which expire. When there
/// are too many collections, those untouched for longest go. Not kept over a restart.
/// Threads: all.
class CollectionStore {
 public:
  /// `capacity` is the greatest number of collections.
  explicit CollectionStore(std::size_t capacity, Duration timeout)
      : capacity_(capacity / kShards + 1), timeout_(timeout) {}

  std::optional<std::string> get(std::string_view collection, std::string_view name,
                                 base::MonoTime now);
  void set(std::string_view collection, std::string_view name, std::string_view value,
           base::MonoTime now);
  void unset(std::string_view collection, std::string_view name, base::MonoTime now);
  /// From `at` on the variable is unset.
  void expire(std::string_view collection, std::string_view name, base::MonoTime at,
              base::MonoTime now);
  std::size_t size();

 private:
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kMostVariables = 64;  ///< of one collection
  struct Variable {
    std::string value;
    std::optional<base::MonoTime> expires_at;
  };
  struct Entry {
    std::string key;
    base::MonoTime touched;
    std::unordered_map<std::string, Variable> variables;
  };
  struct Shard {
    base::Mutex mutex;
    std::list<Entry> entries GUARDED_BY(mutex);  ///< touched last first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key GUARDED_BY(mutex);
  };
  Shard& shard_of(std::string_view collection);
  static void drop_last(Shard& shard) REQUIRES(shard.mutex);
  // Null when there is none and `create` is false.
  Entry* find(Shard& shard, std::string_view collection, bool create, base::MonoTime now)
      REQUIRES(shard.mutex);

  const std::size_t capacity_;
  const Duration timeout_;
  std::array<Shard, kShards> shards_;
};

}  // namespace headgate::guard::waf
