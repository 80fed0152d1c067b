// SPDX-License-Identifier: MIT
// Requests of a generation by distribution and behavior, and which distributions of a commit are
// looked at.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "appliance/observe/tally.h"
#include "appliance/snapshot/snapshot.h"
#include "reconciler/rollout/judge.h"

namespace headgate::reconciler {

/// What was counted in a lane since the start: Metrics::tallies.
using Count = std::function<std::vector<observe::SlotTally>(std::uint8_t lane)>;

/// By distribution and path pattern.
using Tallies = std::map<std::pair<std::string, std::string>, observe::Tally>;

/// What was counted of `snapshot`'s generation since the start.
Tallies count_of(const Count& count, const snapshot::Snapshot& snapshot);
Tallies since(Tallies now, const Tallies& then);
observe::Tally sum_of(const Tallies& tallies, const std::string& distribution);

/// ", most of all in /api/*, *": the behaviors in which what is suspected is found most often.
std::string worst_behaviors(const Suspicion& suspicion, const Tallies& tallies);

struct Guarded {
  std::string distribution;
  schema::RolloutGuard guard;
};

/// Distributions that both have and that the commit changed, as the version before wants them
/// guarded.
std::vector<Guarded> guarded(const snapshot::Configuration& before,
                             const snapshot::Configuration& commit);

/// How the commit is to go live by the version before: of the distributions that it changes, as the
/// one does that takes longest; null when none goes by steps.
const schema::Rollout* find_rollout(const snapshot::Configuration& before,
                                    const snapshot::Configuration& commit);

}  // namespace headgate::reconciler
