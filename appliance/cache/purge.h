// SPDX-License-Identifier: MIT
// Which stored responses are invalid: facts over the cache, compared by epoch, never a scan. config.md section 3.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "appliance/cache/response.h"

namespace headgate::cache {

enum class PurgeMode { Revalidate, Delete };

enum class Purged { No, Soft, Hard };

/// The active invalidations, ready for look-up. A response is invalid when some rule matches it and has a higher epoch than its stamp.
/// Exact paths in a hash, prefixes in a table of prefix lengths: the cost does not depend on the number of stored responses.
/// Threads: immutable once published by a Snapshot; `with` makes the next one.
class PurgeTable {
 public:
  /// The highest epoch of any rule; what fetches under this table are stamped with.
  std::uint64_t epoch() const { return epoch_; }

  /// Adds rules for `paths` (exact, or a trailing '*'; "/*" is all) of `distribution` at `epoch`, which becomes the table's.
  void add(std::string_view distribution, const std::vector<std::string>& paths, PurgeMode mode,
           std::uint64_t epoch);
  /// For a table that starts from a journal: nothing is older than this.
  void set_epoch(std::uint64_t epoch) { epoch_ = epoch; }

  /// One comparison when nothing was purged since `response` was last checked.
  Purged check(const StoredResponse& response) const;
  /// The same for what is not stored yet: whether a fetch with `stamp` may answer requests of today.
  Purged check(std::string_view distribution, std::string_view path, Stamp stamp) const;

 private:
  struct Rule {
    std::uint64_t soft = 0;  ///< highest epoch of a rule in mode Revalidate
    std::uint64_t hard = 0;
  };
  struct Distribution {
    std::unordered_map<std::string, Rule> exact;
    std::map<std::size_t, std::unordered_map<std::string, Rule>> prefixes;  ///< by length
  };
  std::unordered_map<std::string, Distribution> distributions_;
  std::uint64_t epoch_ = 0;
};

}  // namespace headgate::cache
