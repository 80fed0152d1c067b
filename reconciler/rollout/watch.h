// SPDX-License-Identifier: MIT
// The guard window of a commit: watches its requests, compares when they seem worse, and says what
// is to be done.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/snapshot/snapshot.h"
#include "reconciler/rollout/judge.h"

namespace headgate::reconciler {

/// ```
///            serves              suspicion               worse
///   idle ──────────────▶ watching ─────────▶ comparing ──────────▶ RollBack
///     ▲                   │    ▲                 │
///     └── windows over ───┘    └── alike, over, or undecided for a window ── Clear
/// ```
/// Only distributions that the commit changed are watched, by the guard of the version before. A
/// commit that comes while another one is under suspicion is compared with what that one is. It
/// does nothing itself. Threads: one at a time.
class Watch {
 public:
  /// What was counted in a lane: Metrics::tallies.
  using Count = std::function<std::vector<observe::SlotTally>(std::uint8_t lane)>;
  explicit Watch(Count count) : count_(std::move(count)) {}

  /// `live` has just gone live, as another generation. `judged`: a commit, in the place of another.
  void serves(std::shared_ptr<const snapshot::Snapshot> live, bool judged, base::MonoTime now);

  enum class Act {
    Nothing,
    Compare,   ///< serve every second request by `good`
    Clear,     ///< compare no more
    RollBack,  ///< to `good`
    End,       ///< the windows are over: the commit is good
  };
  struct Step {
    Act act = Act::Nothing;
    std::string reason;  ///< for people: what was found
  };
  Step look(base::MonoTime now);

  bool is_watching() const { return good_ != nullptr; }
  bool is_comparing() const { return suspicion_.has_value(); }
  /// When the last window ends; while comparing, when that does.
  base::MonoTime until() const { return until_; }
  const snapshot::Snapshot& live() const { return *live_; }
  /// What `live` is compared with; only while watching.
  const std::shared_ptr<const snapshot::Snapshot>& good() const { return good_; }

 private:
  using Behavior = std::pair<std::string, std::string>;  ///< distribution, path pattern
  using Tallies = std::map<Behavior, observe::Tally>;
  struct Guarded {
    std::string distribution;
    schema::RolloutGuard guard;
    base::MonoTime until;
  };

  Tallies count(const snapshot::Snapshot& snapshot) const;
  static Tallies since(Tallies now, const Tallies& then);
  static observe::Tally sum(const Tallies& tallies, const std::string& distribution);
  std::vector<Guarded> guarded(const snapshot::Snapshot& good, base::MonoTime now) const;
  Step look_for_suspicion(base::MonoTime now);
  Step compare_both(base::MonoTime now);
  Step clear(const std::string& why, base::MonoTime now);
  std::string worst_behaviors(const Tallies& tallies) const;
  void set_until(base::MonoTime now);

  const Count count_;
  std::shared_ptr<const snapshot::Snapshot> live_;
  std::shared_ptr<const snapshot::Snapshot> good_;  ///< null: idle
  std::vector<Guarded> guarded_;
  Tallies live_at_start_;   ///< of its lane
  Tallies other_at_start_;  ///< of the lane of good_, while comparing
  Tallies before_;          ///< under good_, before the commit
  std::optional<Suspicion> suspicion_;
  schema::RolloutGuard suspecting_;  ///< the guard that suspects
  base::MonoTime until_{};
};

}  // namespace headgate::reconciler
