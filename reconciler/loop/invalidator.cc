// SPDX-License-Identifier: MIT
// Purges that no commit brings: the urgent path, what has become due, and the sweep that follows
// every purge.
#include "reconciler/loop/invalidator.h"

#include <algorithm>

#include "appliance/base/background.h"
#include "schema/base/cron.h"
#include "schema/model/alias.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using admin::InvalidationView;
using admin::PurgeReply;
using Outcome = PurgeReply::Outcome;
using Clock = std::chrono::steady_clock;

/// A burst of purges is swept at once, and whoever looks right after a purge sees it Active.
constexpr std::chrono::seconds kBetweenSweeps{5};
/// Sweeping takes at most this part of one processor.
constexpr int kSweepShare = 10;

Json shown(const LedgerEntry& entry) {
  Json json = to_json(entry);
  for (const char* internal : {"active", "generations"}) json.erase(internal);
  json["state"] = entry.state();
  json["matched"] = entry.count->matched.load();
  json["freedBytes"] = entry.count->freed_bytes.load();
  return json;
}

Json shown_pending(const schema::Invalidation& invalidation, Timestamp due) {
  Json json = to_json(make_entry(invalidation, 0, ""));
  json.erase("epoch");
  json["state"] = "Pending";
  json["notBefore"] = format_timestamp(due);
  return json;
}

InvalidationView view_of(const LedgerEntry& entry) {
  InvalidationView view;
  view.id = entry.id;
  view.distribution = entry.distribution;
  view.paths = entry.select.paths;
  for (const std::string& tag : entry.select.tags) view.paths.push_back("#" + tag);
  view.state = entry.state();
  if (const auto created = parse_timestamp(entry.activated_at)) view.created = *created;
  view.json = shown(entry).dump(-1, ' ', false, Json::error_handler_t::replace);
  return view;
}

/// Why what is to be warmed cannot be asked for; empty when it can.
std::string objection_to_warm(const schema::Distribution& distribution,
                              const schema::InvalidationWarm& warm) {
  if (warm.host.empty())
    return schema::first_host(distribution).empty()
               ? fmt::format(
                     "warm.host is missing: the distribution {} has no alias without a "
                     "wildcard",
                     schema::in_quotes(distribution.name))
               : "";
  const auto& aliases = distribution.aliases;
  const bool served = std::any_of(aliases.begin(), aliases.end(), [&](const auto& alias) {
    return schema::alias_covers(alias, warm.host);
  });
  return served ? ""
                : fmt::format("the distribution {} does not serve {}",
                              schema::in_quotes(distribution.name), schema::in_quotes(warm.host));
}

bool has_behavior(const schema::Distribution& distribution, const std::string& pattern) {
  const auto& behaviors = distribution.cache_behaviors;
  return pattern.empty() || pattern == "*" ||
         std::any_of(behaviors.begin(), behaviors.end(),
                     [&](const auto& behavior) { return behavior.path_pattern == pattern; });
}

PurgeReply no(Outcome outcome, std::string problem) {
  PurgeReply reply;
  reply.outcome = outcome;
  reply.problem = std::move(problem);
  return reply;
}

std::string labels(const std::string& source, const char* outcome) {
  return fmt::format(R"(source="{}",outcome="{}")", source, outcome);
}

const char* name(Outcome outcome) {
  switch (outcome) {
    case Outcome::Created:
      return "created";
    case Outcome::Known:
      return "known";
    case Outcome::TooMany:
      return "too_many";
    case Outcome::Unavailable:
      return "unavailable";
    case Outcome::Mismatch:
    case Outcome::NoDistribution:
    case Outcome::Refused:
      break;
  }
  return "refused";
}

}  // namespace

Invalidator::Invalidator(base::Mutex& mutex, Activator& activator,
                         std::function<void(const std::string&)> log)
    : mutex_(mutex), activator_(activator), log_(std::move(log)), last_tick_(activator.now()) {}

/// Why not, or what is there already; none when it may run.
std::optional<PurgeReply> Invalidator::refuse(const schema::Invalidation& invalidation) const {
  if (activator_.current() == nullptr)
    return no(Outcome::Unavailable, "no configuration has been applied yet");
  const schema::Model& model = activator_.current()->configuration->model();
  const Ledger& ledger = activator_.history().ledger();
  const auto distribution = model.distributions.find(invalidation.distribution);
  if (distribution == model.distributions.end())
    return no(Outcome::NoDistribution, fmt::format("there is no distribution {}",
                                                   schema::in_quotes(invalidation.distribution)));
  const std::string id = invalidation.id();
  const auto in_git = model.invalidations.find(id);
  const LedgerEntry* known = ledger.find(id);
  const bool differs = known != nullptr ? known->digest != invalidation.digest()
                                        : in_git != model.invalidations.end() &&
                                              in_git->second->digest() != invalidation.digest();
  if (differs)
    return no(Outcome::Mismatch,
              fmt::format("InvalidationDigestMismatch: the id {} stands for another invalidation; "
                          "take a new one",
                          schema::in_quotes(id)));
  if (known != nullptr) {
    PurgeReply reply = no(Outcome::Known, "");
    reply.view = view_of(*known);
    return reply;
  }
  if (!has_behavior(*distribution->second, invalidation.select.behavior))
    return no(Outcome::Refused, fmt::format("the distribution {} has no behavior {}",
                                            schema::in_quotes(invalidation.distribution),
                                            schema::in_quotes(invalidation.select.behavior)));
  if (invalidation.warm)
    if (std::string reason = objection_to_warm(*distribution->second, *invalidation.warm);
        !reason.empty())
      return no(Outcome::Refused, std::move(reason));
  if (invalidation.not_before)
    return no(Outcome::Refused, "notBefore is for invalidations in the repository: commit it");
  if (std::string reason = ledger.objection(make_entry(invalidation, 0, "api"), activator_.now());
      !reason.empty())
    return no(Outcome::Refused, std::move(reason));
  const std::size_t patterns = ledger.active_patterns() + patterns_of(invalidation.select);
  if (patterns > cache::PurgeTable::kMaxPatterns)
    return no(Outcome::TooMany,
              fmt::format("{} globs and conditions would be active, at most {} can be: try again "
                          "when some have been swept, or use exact paths, prefixes or tags",
                          patterns, cache::PurgeTable::kMaxPatterns));
  return std::nullopt;
}

PurgeReply Invalidator::purge(const schema::Invalidation& invalidation) {
  const base::MutexLock lock(mutex_);
  PurgeReply reply;
  if (auto refused = refuse(invalidation)) {
    reply = std::move(*refused);
  } else if (const auto done = activator_.invalidate({invalidation}, "api"); !done) {
    reply = no(Outcome::Unavailable, "the state cannot be written: " + done.error().context);
    if (log_) log_(reply.problem);
  } else {
    reply.outcome = Outcome::Created;
    reply.view = view_of(done->front());
  }
  ++requests_[labels("api", name(reply.outcome))];
  return reply;
}

std::vector<cache::Selected> Invalidator::estimate(
    const std::vector<const schema::Invalidation*>& invalidations) const {
  std::vector<cache::Selected> all(invalidations.size());
  cache::PurgeTable table;
  std::vector<std::size_t> places;  // by rule
  {
    const base::MutexLock lock(mutex_);
    for (std::size_t i = 0; i < invalidations.size(); ++i) {
      const schema::Invalidation& each = *invalidations[i];
      if (!each.undoes.empty() || activator_.history().ledger().find(each.id()) != nullptr)
        continue;
      table.add(activator_.purge_rule_of(each));
      places.push_back(i);
    }
  }
  if (places.empty() || !count_) return all;
  const std::vector<cache::Selected> counted = count_(table);
  for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = counted[i];
  return all;
}

std::optional<std::vector<InvalidationView>> Invalidator::list(
    const std::string& distribution) const {
  const base::MutexLock lock(mutex_);
  const auto& current = activator_.current();
  if (current == nullptr || current->configuration->find_by_name(distribution) == nullptr)
    return std::nullopt;
  std::vector<InvalidationView> views;
  for (const auto& [id, entry] : activator_.history().ledger().entries())
    if (entry.distribution == distribution) views.push_back(view_of(entry));
  std::stable_sort(views.begin(), views.end(),
                   [](const auto& a, const auto& b) { return a.created > b.created; });
  return views;
}

Json Invalidator::to_json() const {
  const base::MutexLock lock(mutex_);
  Json list = Json::array();
  for (const auto& [id, entry] : activator_.history().ledger().entries())
    list.push_back(shown(entry));
  for (Json& json : pending()) list.push_back(std::move(json));
  return list;
}

std::vector<Json> Invalidator::pending() const {
  std::vector<Json> list;
  if (activator_.current() == nullptr) return list;
  const schema::Model& model = activator_.current()->configuration->model();
  for (const auto& [id, invalidation] : model.invalidations)
    if (invalidation->not_before && activator_.history().ledger().find(id) == nullptr)
      list.push_back(shown_pending(*invalidation, *invalidation->not_before));
  for (const auto& [schedule_name, schedule] : model.invalidation_schedules) {
    const auto cron = Cron::parse(schedule->cron);
    if (!cron) continue;  // validation has the last word on it
    if (const auto next = cron->next(activator_.now()))
      list.push_back(shown_pending(schedule->tick(*next), *next));
  }
  return list;
}

void Invalidator::tick() {
  {
    const base::MutexLock lock(mutex_);
    activator_.let_go(last_tick_);
    last_tick_ = activator_.now();
    if (activator_.current() == nullptr) return;
    run_due();
    if (activator_.current()->purges->rules().empty()) {
      next_sweep_.reset();
      return;
    }
  }
  const auto now = Clock::now();
  if (!next_sweep_) next_sweep_ = now + kBetweenSweeps;
  if (now < *next_sweep_) return;
  sweep();
  const auto took = Clock::now() - now;
  next_sweep_ = Clock::now() + std::max<Clock::duration>(kBetweenSweeps, kSweepShare * took);
}

std::vector<schema::Invalidation> Invalidator::due_by_date() const {
  std::vector<schema::Invalidation> due;
  for (const auto& [id, invalidation] : activator_.current()->configuration->model().invalidations)
    if (invalidation->not_before && *invalidation->not_before <= activator_.now() &&
        activator_.history().ledger().find(id) == nullptr)
      due.push_back(*invalidation);
  return due;
}

/// Of several ticks that were missed the latest one.
std::vector<schema::Invalidation> Invalidator::due_by_schedule(
    std::map<std::string, Timestamp>& schedules) const {
  std::vector<schema::Invalidation> due;
  const auto& seen = activator_.history().ledger().schedules();
  for (const auto& [schedule_name, schedule] :
       activator_.current()->configuration->model().invalidation_schedules) {
    const auto cron = Cron::parse(schedule->cron);
    const auto since = seen.find(schedule_name);
    if (!cron || since == seen.end()) continue;  // activation notes when one appears
    const auto latest = cron->latest(since->second, activator_.now());
    if (!latest) continue;
    due.push_back(schedule->tick(*latest));
    schedules[schedule_name] = *latest;
  }
  return due;
}

void Invalidator::run_due() {
  run(due_by_date(), "git", {});
  std::map<std::string, Timestamp> schedules;
  const auto due = due_by_schedule(schedules);
  run(due, "schedule", schedules);
}

void Invalidator::run(const std::vector<schema::Invalidation>& due, const std::string& source,
                      const std::map<std::string, Timestamp>& schedules) {
  if (due.empty()) return;
  std::size_t patterns = activator_.history().ledger().active_patterns();
  for (const schema::Invalidation& invalidation : due) patterns += patterns_of(invalidation.select);
  std::string problem;
  if (patterns > cache::PurgeTable::kMaxPatterns)
    problem = fmt::format("{} globs and conditions would be active, at most {} can be", patterns,
                          cache::PurgeTable::kMaxPatterns);
  else if (const auto done = activator_.invalidate(due, source, schedules); !done)
    problem = done.error().context;
  for (const schema::Invalidation& invalidation : due) {
    if (!problem.empty() && !complained_ && log_)
      log_(fmt::format("{} is due and cannot run yet: {}", invalidation.id(), problem));
    if (problem.empty()) ++requests_[labels(source, "created")];
  }
  complained_ = !problem.empty();
}

void Invalidator::sweep() {
  std::shared_ptr<const snapshot::Snapshot> current;
  {
    const base::MutexLock lock(mutex_);
    current = activator_.current();
  }
  if (!sweep_ || current == nullptr) return;
  const auto began = Clock::now();
  const cache::Swept swept = [&] {
    const base::YieldOften while_others_wait;  // requests, and the answers to purges
    return sweep_(*current->purges);
  }();
  const base::MutexLock lock(mutex_);
  activator_.retire(swept);
  ++sweeps_;
  sweep_seconds_ += std::chrono::duration<double>(Clock::now() - began).count();
}

std::vector<observe::Family> Invalidator::families() const {
  const base::MutexLock lock(mutex_);
  const Ledger& ledger = activator_.history().ledger();
  std::uint64_t matched = 0;
  std::uint64_t freed_bytes = 0;
  for (const auto& [id, entry] : ledger.entries()) {
    matched += entry.count->matched.load();
    freed_bytes += entry.count->freed_bytes.load();
  }
  observe::Family requests{
      "headgate_invalidation_requests_total",
      "Invalidations by the urgent path, by date and by schedule; commits are in the events.",
      "counter",
      {}};
  for (const auto& [text, count] : requests_)
    requests.samples.push_back({text, static_cast<double>(count)});
  const auto one = [](const char* family, const char* help, const char* type, double value) {
    return observe::Family{family, help, type, {{"", value}}};
  };
  return {
      std::move(requests),
      one("headgate_invalidation_epoch", "The epoch of the newest invalidation.", "gauge",
          static_cast<double>(ledger.epoch())),
      one("headgate_invalidation_known", "Invalidations in the ledger.", "gauge",
          static_cast<double>(ledger.entries().size())),
      one("headgate_invalidation_active", "Invalidations that stored responses may be older than.",
          "gauge", static_cast<double>(ledger.active().size())),
      one("headgate_invalidation_pending", "Invalidations that are still to come.", "gauge",
          static_cast<double>(pending().size())),
      one("headgate_invalidation_patterns",
          "Active globs and conditions, which look-ups try one by one; at most 256.", "gauge",
          static_cast<double>(ledger.active_patterns())),
      one("headgate_invalidation_matched_total", "Stored responses that invalidations have hit.",
          "counter", static_cast<double>(matched)),
      one("headgate_invalidation_freed_bytes_total",
          "Memory of responses that were removed because of invalidations.", "counter",
          static_cast<double>(freed_bytes)),
      one("headgate_invalidation_sweeps_total", "Walks over the cache after invalidations.",
          "counter", static_cast<double>(sweeps_)),
      one("headgate_invalidation_sweep_seconds_total", "Time that these walks have taken.",
          "counter", sweep_seconds_)};
}

}  // namespace headgate::reconciler
