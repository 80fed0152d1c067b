// SPDX-License-Identifier: MIT
// Which stored responses are invalid: facts over the cache, compared by epoch, never a scan.
// config.md section 3.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "appliance/cache/response.h"

namespace headgate::cache {

enum class PurgeMode { Revalidate, Delete };

enum class Purged { No, Soft, Hard };

/// The active invalidations, ready for look-up. A response is invalid when some rule matches it and
/// has a higher epoch than its stamp. Exact paths in a hash, prefixes in a table of prefix lengths:
/// the cost does not depend on the number of stored responses. Threads: immutable once published by
/// a Snapshot; the next one is a copy to which rules are added.
class PurgeTable {
 public:
  /// The highest epoch of any rule; what fetches under this table are stamped with.
  std::uint64_t epoch() const { return epoch_; }

  /// Adds rules for `paths` (exact, or a trailing '*'; "/*" is all) of `distribution` at `epoch`,
  /// which becomes the table's unless that is already higher. A path without a leading '/' gets
  /// one; '*' elsewhere than at the end is an ordinary character.
  void add(std::string_view distribution, const std::vector<std::string>& paths, PurgeMode mode,
           std::uint64_t epoch);
  /// For a table that starts from a journal: nothing is older than this.
  void set_epoch(std::uint64_t epoch) { epoch_ = epoch; }

  /// One comparison when nothing was purged since `response` was last checked.
  Purged check(const StoredResponse& response) const;
  /// The same for what is not stored yet: whether a fetch with `stamp` may answer requests of
  /// today.
  Purged check(std::string_view distribution, std::string_view path, Stamp stamp) const;

 private:
  struct Rule {
    std::uint64_t soft = 0;  ///< highest epoch of a rule in mode Revalidate
    std::uint64_t hard = 0;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  /// Looked up by views: a check allocates nothing.
  template <class Value>
  using ByText = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;
  struct Distribution {
    ByText<Rule> exact;
    std::map<std::size_t, ByText<Rule>> prefixes;  ///< by length
  };

  static Purged judge(const ByText<Rule>& rules, std::string_view text, std::uint64_t epoch);

  ByText<Distribution> distributions_;
  std::uint64_t epoch_ = 0;
};

}  // namespace headgate::cache
