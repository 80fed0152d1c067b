// SPDX-License-Identifier: MIT
// What web ACLs keep from one configuration to the next: counters, windows, verdicts, the
// edge's own secret.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/guard/waf/bots/verdicts.h"
#include "appliance/guard/waf/challenge/challenge.h"
#include "appliance/guard/waf/crs/store.h"
#include "appliance/guard/waf/rate/table.h"

namespace headgate::guard::waf {

class RuleSet;

/// What became of a request, or of a response, that a rule matched.
enum class RuleEffect : std::uint8_t {
  Allow,
  Block,
  Count,
  Challenge,
  Passed,     ///< of a challenge: it came with a proof
  Exhausted,  ///< the inspection budget was used up in the rule, whatever came of it
  ResponseBlock,
  ResponseCount,
  ResponseUnread,  ///< its body should have been looked at and was not
  kCount,
};
std::string_view name(RuleEffect effect);  ///< "allow", "block", …

/// How often a rule had which effect. Threads: any.
class Tally {
 public:
  void add(RuleEffect effect) {
    counts_[static_cast<std::size_t>(effect)].fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t count(RuleEffect effect) const {
    return counts_[static_cast<std::size_t>(effect)].load(std::memory_order_relaxed);
  }

 private:
  alignas(64) std::array<std::atomic<std::uint64_t>,
                         static_cast<std::size_t>(RuleEffect::kCount)> counts_{};
};

/// One for a process. Threads: any.
class Shared {
 public:
  struct Row {
    std::string acl;
    std::string rule;
    std::shared_ptr<const Tally> tally;
  };

  /// `resolvers`: DNS servers as ADDR:PORT; empty: the system's.
  explicit Shared(std::vector<std::string> resolvers = {});

  RateTable& rates() { return rates_; }
  const RateTable& rates() const { return rates_; }
  /// Of web ACLs that name no secret.
  const std::shared_ptr<const Challenges>& challenges() const { return challenges_; }
  /// The same one for the same names; bounded, the rest share one under the names "other".
  std::shared_ptr<Tally> tally(const std::string& acl, const std::string& rule);
  std::vector<Row> rows() const;

  /// What DNS has said of those who say they are bots.
  Verdicts& bots() { return bots_; }
  const Verdicts& bots() const { return bots_; }

  /// What rules of managed groups keep about clients.
  CollectionStore& collections() { return collections_; }
  /// A managed group with these options that is in use, or null.
  std::shared_ptr<const RuleSet> find_rule_set(const std::string& options) const;
  void remember_rule_set(const std::string& options, const std::shared_ptr<const RuleSet>& rules);
  /// How many groups have been compiled; the rest of the activations found theirs.
  std::uint64_t rule_sets_compiled() const;

 private:
  static constexpr std::size_t kMaxCollections = 65536;
  static constexpr Duration kCollectionTimeout = std::chrono::hours(1);  // SecCollectionTimeout
  static constexpr std::size_t kMaxTallies = 16384;
  RateTable rates_;
  CollectionStore collections_{kMaxCollections, kCollectionTimeout};
  const std::shared_ptr<const Challenges> challenges_ =
      std::make_shared<const Challenges>(random_secret());
  mutable base::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Tally>> tallies_ GUARDED_BY(mutex_);
  std::map<std::string, std::weak_ptr<const RuleSet>> rule_sets_ GUARDED_BY(mutex_);
  std::uint64_t rule_sets_compiled_ GUARDED_BY(mutex_) = 0;
  Verdicts bots_;
  Resolver resolver_;  ///< after what its answers are for, so that its thread ends first
};

}  // namespace headgate::guard::waf
