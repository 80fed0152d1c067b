// SPDX-License-Identifier: MIT
#include "appliance/guard/waf/rules/shared.h"

namespace headgate::guard::waf {

std::string_view name(RuleEffect effect) {
  switch (effect) {
    case RuleEffect::Allow:
      return "allow";
    case RuleEffect::Block:
      return "block";
    case RuleEffect::Count:
      return "count";
    case RuleEffect::Challenge:
      return "challenge";
    case RuleEffect::Passed:
      return "challenge_passed";
    case RuleEffect::Exhausted:
      return "budget_exhausted";
    case RuleEffect::ResponseBlock:
      return "response_block";
    case RuleEffect::ResponseCount:
      return "response_count";
    case RuleEffect::ResponseUnread:
      return "response_unread";
    case RuleEffect::kCount:
      break;
  }
  return "";
}

Shared::Shared(std::vector<std::string> resolvers)
    : bots_([this](const base::IpAddress& address, const Domains& domains, Resolver::Done done) {
        return resolver_.ask(address, domains, std::move(done));
      }),
      resolver_([&resolvers] {
        Resolver::Options options;
        options.servers = std::move(resolvers);
        return options;
      }()) {}

std::shared_ptr<Tally> Shared::tally(const std::string& acl, const std::string& rule) {
  const base::MutexLock lock(mutex_);
  auto key = std::make_pair(acl, rule);
  if (tallies_.size() >= kMaxTallies && !tallies_.contains(key)) key = {"other", "other"};
  auto& tally = tallies_[std::move(key)];
  if (tally == nullptr) tally = std::make_shared<Tally>();
  return tally;
}

std::shared_ptr<const RuleSet> Shared::find_rule_set(const std::string& options) const {
  const base::MutexLock lock(mutex_);
  const auto known = rule_sets_.find(options);
  return known == rule_sets_.end() ? nullptr : known->second.lock();
}

std::uint64_t Shared::rule_sets_compiled() const {
  const base::MutexLock lock(mutex_);
  return rule_sets_compiled_;
}

void Shared::remember_rule_set(const std::string& options,
                               const std::shared_ptr<const RuleSet>& rules) {
  const base::MutexLock lock(mutex_);
  std::erase_if(rule_sets_, [](const auto& known) { return known.second.expired(); });
  rule_sets_[options] = rules;
  ++rule_sets_compiled_;
}

std::vector<Shared::Row> Shared::rows() const {
  const base::MutexLock lock(mutex_);
  std::vector<Row> rows;
  for (const auto& [names, tally] : tallies_) rows.push_back({names.first, names.second, tally});
  return rows;
}

}  // namespace headgate::guard::waf
