// SPDX-License-Identifier: MIT
#include "appliance/cache/purge.h"

#include <algorithm>

namespace headgate::cache {

void PurgeTable::add(std::string_view distribution, const std::vector<std::string>& paths,
                     PurgeMode mode, std::uint64_t epoch) {
  epoch_ = std::max(epoch_, epoch);
  Distribution& rules = distributions_[std::string(distribution)];
  for (const std::string& path : paths) {
    std::string text = path.starts_with('/') ? path : "/" + path;
    const bool is_prefix = text.ends_with('*');
    if (is_prefix) text.pop_back();
    Rule& rule = is_prefix ? rules.prefixes[text.size()][text] : rules.exact[text];
    std::uint64_t& highest = mode == PurgeMode::Delete ? rule.hard : rule.soft;
    highest = std::max(highest, epoch);
  }
}

Purged PurgeTable::judge(const ByText<Rule>& rules, std::string_view text, std::uint64_t epoch) {
  const auto found = rules.find(text);
  if (found == rules.end()) return Purged::No;
  if (found->second.hard > epoch) return Purged::Hard;
  return found->second.soft > epoch ? Purged::Soft : Purged::No;
}

Purged PurgeTable::check(const StoredResponse& response) const {
  if (response.validated_epoch() >= epoch_) return Purged::No;
  const Purged purged = check(response.distribution(), response.path(), response.stamp());
  // An older table must not take back what a newer one has found out.
  if (purged == Purged::No && response.validated_epoch() < epoch_)
    response.set_validated_epoch(epoch_);
  return purged;
}

Purged PurgeTable::check(std::string_view distribution, std::string_view path, Stamp stamp) const {
  if (stamp.epoch >= epoch_) return Purged::No;
  const auto found = distributions_.find(distribution);
  if (found == distributions_.end()) return Purged::No;
  Purged worst = judge(found->second.exact, path, stamp.epoch);
  for (const auto& [length, rules] : found->second.prefixes) {
    if (length > path.size() || worst == Purged::Hard) break;
    worst = std::max(worst, judge(rules, path.substr(0, length), stamp.epoch));
  }
  return worst;
}

}  // namespace headgate::cache
