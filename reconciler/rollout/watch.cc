// SPDX-License-Identifier: MIT
// The guard window of a commit: watches its requests, compares when they seem worse, and says what
// is to be done.
#include "reconciler/rollout/watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

/// Named in a reason.
constexpr std::size_t kWorstBehaviors = 3;

}  // namespace

Watch::Tallies Watch::count(const snapshot::Snapshot& snapshot) const {
  Tallies tallies;
  for (observe::SlotTally& each : count_(snapshot.lane))
    tallies.emplace(Behavior(std::move(each.distribution), std::move(each.behavior)), each.tally);
  return tallies;
}

Watch::Tallies Watch::since(Tallies now, const Tallies& then) {
  for (const auto& [behavior, tally] : then) now[behavior] -= tally;
  return now;
}

observe::Tally Watch::sum(const Tallies& tallies, const std::string& distribution) {
  observe::Tally sum;
  for (const auto& [behavior, tally] : tallies)
    if (behavior.first == distribution) sum += tally;
  return sum;
}

void Watch::serves(std::shared_ptr<const snapshot::Snapshot> live, bool judged,
                   base::MonoTime now) {
  const std::shared_ptr<const snapshot::Snapshot> replaced = std::exchange(live_, std::move(live));
  const bool suspected = suspicion_.has_value();
  suspicion_.reset();
  if (!judged || replaced == nullptr) {
    good_.reset();
  } else if (!suspected) {
    before_ = since(count(*replaced), live_at_start_);
    good_ = replaced;
  }
  live_at_start_ = count(*live_);
  guarded_.clear();
  if (good_ != nullptr) guarded_ = guarded(*good_, now);
  if (guarded_.empty()) good_.reset();
  if (good_ != nullptr) set_until(now);
}

/// Both have them, the commit changed them, and the version before wants them watched.
std::vector<Watch::Guarded> Watch::guarded(const snapshot::Snapshot& good,
                                           base::MonoTime now) const {
  std::vector<Guarded> guarded;
  for (const auto& distribution : live_->configuration->distributions()) {
    const auto* before = good.configuration->find_by_name(distribution->name);
    if (before == nullptr || before == distribution.get()) continue;
    const schema::RolloutGuard& guard = before->source->rollout.guard;
    if (!before->enabled || !distribution->enabled ||
        guard.on_fail == schema::RolloutGuard::OnFail::Ignore)
      continue;
    guarded.push_back({distribution->name, guard, now + guard.window});
  }
  return guarded;
}

void Watch::set_until(base::MonoTime now) {
  until_ = now;
  for (const Guarded& each : guarded_) until_ = std::max(until_, each.until);
}

Watch::Step Watch::look(base::MonoTime now) {
  if (!is_watching()) return {};
  return is_comparing() ? compare_both(now) : look_for_suspicion(now);
}

Watch::Step Watch::look_for_suspicion(base::MonoTime now) {
  const Tallies tallies = since(count(*live_), live_at_start_);
  for (const Guarded& each : guarded_) {
    if (now >= each.until) continue;
    suspicion_ = suspect(each.distribution, each.guard, sum(before_, each.distribution),
                         sum(tallies, each.distribution));
    if (!suspicion_) continue;
    suspecting_ = each.guard;
    live_at_start_ = count(*live_);
    other_at_start_ = count(*good_);
    // As long as a window, however late in it the suspicion came.
    until_ = std::max(until_, now + each.guard.window);
    return {Act::Compare, describe(*suspicion_, suspicion_->share)};
  }
  if (now < until_) return {};
  good_.reset();
  return {Act::End, ""};
}

Watch::Step Watch::compare_both(base::MonoTime now) {
  const Tallies here = since(count(*live_), live_at_start_);
  const Tallies there = since(count(*good_), other_at_start_);
  const observe::Tally live = sum(here, suspicion_->distribution);
  const observe::Tally other = sum(there, suspicion_->distribution);
  switch (compare(*suspicion_, suspecting_, live, other)) {
    case Finding::Worse: {
      const Share before = share_of(*suspicion_, other);
      return {Act::RollBack, fmt::format("{}{}, {:.1f} % of {} under the configuration before",
                                         describe(*suspicion_, share_of(*suspicion_, live)),
                                         worst_behaviors(here), before.ratio() * 100, before.of)};
    }
    case Finding::Alike:
      return clear("it is the same under the configuration before", now);
    case Finding::Over:
      return clear("it is over", now);
    case Finding::Open:
      break;
  }
  if (now < until_) return {};
  return clear("too few requests came to tell", now);
}

/// What was counted until now says nothing about the commit any more.
Watch::Step Watch::clear(const std::string& why, base::MonoTime now) {
  Step step{Act::Clear, suspicion_->distribution + ": " + why};
  suspicion_.reset();
  live_at_start_ = count(*live_);
  set_until(now);
  return step;
}

/// ", most of all in /api/*, *": where it is found most often.
std::string Watch::worst_behaviors(const Tallies& tallies) const {
  std::vector<std::pair<std::uint64_t, std::string>> worst;
  for (const auto& [behavior, tally] : tallies)
    if (behavior.first == suspicion_->distribution)
      if (const std::uint64_t part = share_of(*suspicion_, tally).part; part > 0)
        worst.emplace_back(part, behavior.second);
  std::sort(worst.rbegin(), worst.rend());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(worst.size(), kWorstBehaviors); ++i)
    names.push_back(worst[i].second);
  return names.empty() ? "" : ", most of all in " + schema::join(names);
}

}  // namespace headgate::reconciler
