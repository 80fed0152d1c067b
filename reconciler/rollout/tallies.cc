// SPDX-License-Identifier: MIT
// Requests of a generation by distribution and behavior, and which distributions of a commit are
// looked at.
#include "reconciler/rollout/tallies.h"

#include <algorithm>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

/// Named in a reason.
constexpr std::size_t kWorstBehaviors = 3;

/// Calls `visit` with the version before of each enabled distribution that is another one now.
template <class Visit>
void for_each_changed(const snapshot::Configuration& before, const snapshot::Configuration& commit,
                      Visit visit) {
  for (const auto& distribution : commit.distributions()) {
    const auto* was = before.find_by_name(distribution->name);
    if (was != nullptr && was != distribution.get() && was->enabled && distribution->enabled)
      visit(*was->source);
  }
}

}  // namespace

Tallies count_of(const Count& count, const snapshot::Snapshot& snapshot) {
  Tallies tallies;
  for (observe::SlotTally& each : count(snapshot.lane))
    tallies.emplace(std::pair(std::move(each.distribution), std::move(each.behavior)), each.tally);
  return tallies;
}

Tallies since(Tallies now, const Tallies& then) {
  for (const auto& [behavior, tally] : then) now[behavior] -= tally;
  return now;
}

observe::Tally sum_of(const Tallies& tallies, const std::string& distribution) {
  observe::Tally sum;
  for (const auto& [behavior, tally] : tallies)
    if (behavior.first == distribution) sum += tally;
  return sum;
}

std::string worst_behaviors(const Suspicion& suspicion, const Tallies& tallies) {
  std::vector<std::pair<std::uint64_t, std::string>> worst;
  for (const auto& [behavior, tally] : tallies)
    if (behavior.first == suspicion.distribution)
      if (const std::uint64_t part = share_of(suspicion, tally).part; part > 0)
        worst.emplace_back(part, behavior.second);
  std::sort(worst.rbegin(), worst.rend());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(worst.size(), kWorstBehaviors); ++i)
    names.push_back(worst[i].second);
  return names.empty() ? "" : ", most of all in " + schema::join(names);
}

std::vector<Guarded> guarded(const snapshot::Configuration& before,
                             const snapshot::Configuration& commit) {
  std::vector<Guarded> all;
  for_each_changed(before, commit, [&](const schema::Distribution& was) {
    if (was.rollout.guard.on_fail != schema::RolloutGuard::OnFail::Ignore)
      all.push_back({was.name, was.rollout.guard});
  });
  return all;
}

const schema::Rollout* find_rollout(const snapshot::Configuration& before,
                                    const snapshot::Configuration& commit) {
  const schema::Rollout* longest = nullptr;
  for_each_changed(before, commit, [&](const schema::Distribution& was) {
    const schema::Rollout& rollout = was.rollout;
    if (!rollout.steps.empty() && (longest == nullptr || rollout.duration() > longest->duration()))
      longest = &rollout;
  });
  return longest;
}

}  // namespace headgate::reconciler
