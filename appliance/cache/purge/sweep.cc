// SPDX-License-Identifier: MIT
#include "appliance/cache/purge/sweep.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>

#include "appliance/cache/tier/disk_tier.h"

namespace headgate::cache {
namespace {

/// One pass.
class Sweep {
 public:
  /// `horizon`: fetches under way have this stamp or a higher one, so rules above it must stay.
  Sweep(const PurgeTable& purges, std::uint64_t horizon)
      : purges_(purges), horizon_(horizon), remaining_(purges.rules().size(), 0) {}

  std::uint64_t highest_settled_epoch() const {
    std::uint64_t highest = 0;
    for (const auto& rule : purges_.rules())
      if (rule->epoch <= horizon_) highest = std::max(highest, rule->epoch);
    return highest;
  }

  Store::Visit visit(const StoredResponse& response) {
    if (purges_.check(response) == Purged::No) return Store::Visit::Keep;
    purges_.count(response);
    const std::vector<std::uint32_t> numbers = purges_.rules_for(response);
    const auto settled = [&](std::uint32_t number) {
      return purges_.rules()[number]->epoch <= horizon_;
    };
    for (const std::uint32_t number : numbers)
      if (settled(number) && purges_.rules()[number]->verdict() == Purged::Hard) {
        purges_.count_freed(response);
        return Store::Visit::Remove;
      }
    Store::Visit wish = Store::Visit::Keep;
    for (const std::uint32_t number : numbers) {
      if (!settled(number)) continue;
      if (purges_.rules()[number]->retained)
        ++remaining_[number];
      else
        wish = Store::Visit::Mark;
    }
    return wish;
  }

  /// `disk_epoch`: rules up to it are not needed for what is on the disk.
  Swept result(std::uint64_t disk_epoch) const {
    Swept swept{.rules = {}, .epoch = 0};
    for (std::size_t i = 0; i < remaining_.size(); ++i) {
      const PurgeRule& rule = *purges_.rules()[i];
      if (rule.epoch > std::min(horizon_, disk_epoch) || (rule.retained && remaining_[i] > 0))
        continue;
      swept.rules.push_back(rule.id);
      swept.epoch = std::max(swept.epoch, rule.epoch);
    }
    return swept;
  }

 private:
  const PurgeTable& purges_;
  const std::uint64_t horizon_;
  std::vector<std::uint64_t> remaining_;  ///< by rule: what an undo would bring back
};

}  // namespace

Swept sweep(Store& store, const FillTable& fills, const PurgeTable& purges) {
  Sweep pass(purges, fills.oldest_fetch_epoch());
  const std::uint64_t settled = pass.highest_settled_epoch();
  if (settled == 0) return {};
  // First this, then the walk: what a request that lags behind brings is either met by the walk or
  // not stored.
  store.set_oldest_epoch(settled);
  // Before the walk, which marks what may be on its way to the disk without that mark.
  const std::uint64_t on_disk =
      store.disk() != nullptr ? store.disk()->settle(settled) : UINT64_MAX;
  store.visit_older(purges.epoch(),
                    [&pass](const StoredResponse& response) { return pass.visit(response); });
  return pass.result(on_disk);
}

std::vector<Selected> count_selected(Store& store, const PurgeTable& purges) {
  std::vector<Selected> selected(purges.rules().size());
  std::unordered_set<const StoredResponse*> seen;  // a visit may be repeated
  store.visit_older(purges.epoch(), [&](const StoredResponse& response) {
    const std::vector<std::uint32_t> rules = purges.rules_for(response);
    if (rules.empty() || !seen.insert(&response).second) return Store::Visit::Keep;
    for (const std::uint32_t rule : rules) {
      if (!response.is_slice()) ++selected[rule].responses;  // the whole of which it is one counts
      selected[rule].bytes += response.memory_bytes();
    }
    return Store::Visit::Keep;
  });
  return selected;
}

}  // namespace headgate::cache
