// SPDX-License-Identifier: MIT
#include "appliance/cache/purge/table.h"

#include <algorithm>

namespace headgate::cache {
namespace {

/// The media type of a Content-Type, without parameters.
std::string_view media_type(http::Fields fields) {
  const auto value = http::find(fields, "content-type");
  return value ? http::trim(value->substr(0, value->find(';'))) : std::string_view();
}

/// `wanted`: "image/webp" or "image/*".
bool is_of_type(std::string_view type, std::string_view wanted) {
  if (!wanted.ends_with("/*")) return http::equals_ignoring_case(type, wanted);
  wanted.remove_suffix(1);
  return http::equals_ignoring_case(type.substr(0, wanted.size()), wanted);
}

template <class List, class Value>
bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool meets(const PurgeSelect& select, const StoredResponse& response) {
  if (!select.hosts.empty() && response.host_label() != 0 &&
      std::none_of(select.hosts.begin(), select.hosts.end(), [&](const std::string& host) {
        return label_hash(host) == response.host_label();
      }))
    return false;
  if (!select.behavior.empty() && label_hash(select.behavior) != response.behavior_label())
    return false;
  if (!select.statuses.empty() && !contains(select.statuses, response.status())) return false;
  if (select.stored_before && response.received_wall() >= *select.stored_before) return false;
  if (select.generations && !select.generations->contains(response.stamp().generation))
    return false;
  const std::string_view type = media_type(response.fields());
  return select.content_types.empty() ||
         std::any_of(select.content_types.begin(), select.content_types.end(),
                     [&](const std::string& wanted) { return is_of_type(type, wanted); });
}

}  // namespace

std::size_t PurgeTable::patterns_of(const PurgeSelect& select) {
  if (select.narrows()) return 1;
  return static_cast<std::size_t>(
      std::count_if(select.paths.begin(), select.paths.end(), [](const std::string& path) {
        const std::size_t star = path.find('*');
        return star != std::string::npos && star + 1 != path.size();
      }));
}

void PurgeTable::add(PurgeRule rule) {
  epoch_ = std::max(epoch_, rule.epoch);
  const auto number = static_cast<std::uint32_t>(rules_.size());
  Distribution& distribution = distributions_[rule.distribution];
  distribution.epoch = std::max(distribution.epoch, rule.epoch);
  if (rule.select.narrows()) {
    distribution.narrowed.push_back({number, {}});
    distribution.narrowed.back().places.add(rule, number);
  } else {
    distribution.places.add(rule, number);
    if (!rule.select.tags.empty())
      distribution.tagged_epoch = std::max(distribution.tagged_epoch, rule.epoch);
  }
  rules_.push_back(std::make_shared<const PurgeRule>(std::move(rule)));
}

void PurgeTable::add(std::string_view distribution, const std::vector<std::string>& paths,
                     PurgeMode mode, std::uint64_t epoch) {
  PurgeRule rule;
  rule.distribution = distribution;
  rule.select.paths = paths;
  rule.mode = mode;
  rule.epoch = epoch;
  add(std::move(rule));
}

/// Null when none of its rules is newer than `epoch`.
const PurgeTable::Distribution* PurgeTable::find(std::string_view distribution,
                                                 std::uint64_t epoch) const {
  const auto found = distributions_.find(distribution);
  return found != distributions_.end() && found->second.epoch > epoch ? &found->second : nullptr;
}

Purged PurgeTable::check(const StoredResponse& response) const {
  if (response.validated_epoch() >= epoch_) return Purged::No;
  const Purged purged = look_up(response);
  // Marked by the sweep of a rule that is no longer here.
  if (purged == Purged::No && response.outdated()) return Purged::Soft;
  // An older table must not take back what a newer one has found out.
  if (purged == Purged::No && response.validated_epoch() < epoch_)
    response.set_validated_epoch(epoch_);
  return purged;
}

Purged PurgeTable::look_up(const StoredResponse& response) const {
  const std::uint64_t epoch = response.stamp().epoch;
  const Distribution* rules = find(response.distribution(), epoch);
  if (rules == nullptr) return Purged::No;
  Purged worst = Purged::No;
  const auto judge = [&](const PurgeMark& mark) { worst = std::max(worst, mark.judge(epoch)); };
  rules->places.each_of_path(response.path(), judge);
  rules->places.each_of_tags(response.tags(), judge);
  for (const Narrowed& narrowed : rules->narrowed) {
    const PurgeRule& rule = *rules_[narrowed.rule];
    if (rule.epoch > epoch && rule.verdict() > worst && selects(narrowed, response))
      worst = rule.verdict();
  }
  return worst;
}

bool PurgeTable::selects(const Narrowed& narrowed, const StoredResponse& response) const {
  if (!meets(rules_[narrowed.rule]->select, response)) return false;
  bool here = narrowed.places.empty();
  const auto note = [&here](const PurgeMark&) { here = true; };
  narrowed.places.each_of_path(response.path(), note);
  narrowed.places.each_of_tags(response.tags(), note);
  return here;
}

Purged PurgeTable::check(std::string_view distribution, std::string_view path, Stamp stamp) const {
  if (stamp.epoch >= epoch_) return Purged::No;
  Purged worst = stamp.epoch < swept_epoch_ ? Purged::Soft : Purged::No;
  const Distribution* rules = find(distribution, stamp.epoch);
  if (rules == nullptr) return worst;
  if (rules->tagged_epoch > stamp.epoch) worst = Purged::Soft;
  rules->places.each_of_path(
      path, [&](const PurgeMark& mark) { worst = std::max(worst, mark.judge(stamp.epoch)); });
  for (const Narrowed& narrowed : rules->narrowed)
    if (worst == Purged::No && may_select(narrowed, path, stamp)) worst = Purged::Soft;
  return worst;
}

bool PurgeTable::may_select(const Narrowed& narrowed, std::string_view path, Stamp stamp) const {
  const PurgeRule& rule = *rules_[narrowed.rule];
  if (rule.epoch <= stamp.epoch) return false;
  if (rule.select.generations && !rule.select.generations->contains(stamp.generation)) return false;
  bool here = narrowed.places.empty() || narrowed.places.has_tags();
  narrowed.places.each_of_path(path, [&here](const PurgeMark&) { here = true; });
  return here;
}

std::vector<std::uint32_t> PurgeTable::rules_for(const StoredResponse& response,
                                                 std::uint64_t after) const {
  std::vector<std::uint32_t> numbers;
  const std::uint64_t epoch = std::max(response.stamp().epoch, after);
  const Distribution* rules = find(response.distribution(), epoch);
  if (rules == nullptr) return numbers;
  const auto take = [&](const PurgeMark& mark) {
    for (const std::uint32_t number : mark.rules)
      if (rules_[number]->epoch > epoch) numbers.push_back(number);
  };
  rules->places.each_of_path(response.path(), take);
  rules->places.each_of_tags(response.tags(), take);
  for (const Narrowed& narrowed : rules->narrowed)
    if (rules_[narrowed.rule]->epoch > epoch && selects(narrowed, response))
      numbers.push_back(narrowed.rule);
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

void PurgeTable::count(const StoredResponse& response) const {
  if (response.is_slice()) return;  // the whole of which it is a part counts
  const std::uint64_t before = response.raise_counted_epoch(epoch_);
  if (before >= epoch_) return;
  for (const std::uint32_t number : rules_for(response, before))
    rules_[number]->count->matched.fetch_add(1, std::memory_order_relaxed);
}

void PurgeTable::count_freed(const StoredResponse& response) const {
  for (const std::uint32_t number : rules_for(response)) {
    if (rules_[number]->verdict() != Purged::Hard) continue;
    rules_[number]->count->freed_bytes.fetch_add(response.memory_bytes(),
                                                 std::memory_order_relaxed);
    return;
  }
}

}  // namespace headgate::cache
