// SPDX-License-Identifier: MIT
// Which stored responses are invalid: facts over the cache, compared by epoch, never a scan.
// config.md section 3.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "appliance/cache/purge/places.h"
#include "appliance/cache/purge/rule.h"
#include "appliance/cache/response.h"

namespace headgate::cache {

/// The active invalidations, ready for look-up. A response is invalid when some rule selects it and
/// has a higher epoch than its stamp. The cost depends neither on the number of stored responses
/// nor on that of rules, but for patterns (globs, and rules with conditions), of which there are
/// few. Threads: immutable once published by a Snapshot; the next one is made anew.
class PurgeTable {
 public:
  /// Patterns are tried one by one; whoever adds rules keeps their number below this.
  static constexpr std::size_t kMaxPatterns = 256;
  static std::size_t patterns_of(const PurgeSelect& select);

  /// The highest epoch of any rule; what fetches under this table are stamped with.
  std::uint64_t epoch() const { return epoch_; }
  const std::vector<std::shared_ptr<const PurgeRule>>& rules() const { return rules_; }

  /// `rule.epoch` becomes the table's unless that is already higher. A path without a leading '/'
  /// gets one.
  void add(PurgeRule rule);
  void add(std::string_view distribution, const std::vector<std::string>& paths, PurgeMode mode,
           std::uint64_t epoch);
  /// For a table that starts from a journal: nothing is older than this.
  void set_epoch(std::uint64_t epoch) { epoch_ = epoch; }
  /// Rules up to this epoch have been taken out since nothing that is stored is older than them;
  /// what is still being fetched may be.
  void set_swept_epoch(std::uint64_t epoch) { swept_epoch_ = epoch; }

  /// One comparison when nothing was purged since `response` was last checked.
  Purged check(const StoredResponse& response) const;
  /// The same for what has not come yet: whether a fetch with `stamp` may answer requests of today.
  /// What cannot be known before the response has come counts as selected.
  Purged check(std::string_view distribution, std::string_view path, Stamp stamp) const;

  /// Counts `response` in every rule that selects it, once, whoever calls how often.
  void count(const StoredResponse& response) const;
  /// After `count`: it has left the cache because of this table.
  void count_freed(const StoredResponse& response) const;
  /// Numbers of the rules that select `response` and are newer than it, and newer than `after`.
  std::vector<std::uint32_t> rules_for(const StoredResponse& response,
                                       std::uint64_t after = 0) const;

 private:
  struct Narrowed {
    std::uint32_t rule;
    PurgePlaces places;  ///< empty: everywhere
  };
  struct Distribution {
    PurgePlaces places;
    std::vector<Narrowed> narrowed;
    std::uint64_t epoch = 0;         ///< the highest one of its rules
    std::uint64_t tagged_epoch = 0;  ///< the highest one of rules by tag
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  const Distribution* find(std::string_view distribution, std::uint64_t epoch) const;
  Purged look_up(const StoredResponse& response) const;
  bool selects(const Narrowed& narrowed, const StoredResponse& response) const;
  bool may_select(const Narrowed& narrowed, std::string_view path, Stamp stamp) const;

  std::vector<std::shared_ptr<const PurgeRule>> rules_;  ///< shared with the tables before
  std::unordered_map<std::string, Distribution, TextHash, std::equal_to<>> distributions_;
  std::uint64_t epoch_ = 0;
  std::uint64_t swept_epoch_ = 0;
};

}  // namespace headgate::cache
