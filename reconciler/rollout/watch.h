// SPDX-License-Identifier: MIT
// The guard window of a commit: watches its requests, compares when they seem worse, and says what
// is to be done.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/snapshot/snapshot.h"
#include "reconciler/rollout/progress.h"
#include "reconciler/rollout/tallies.h"

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
  explicit Watch(Count count) : count_(std::move(count)) {}

  /// What `next` will be held against when it goes live as a commit in the place of another; null:
  /// it will not be watched.
  std::shared_ptr<const snapshot::Snapshot> good_for(const snapshot::Configuration& next) const;
  /// `live` has just gone live, as another generation. `judged`: a commit, in the place of another.
  void serves(std::shared_ptr<const snapshot::Snapshot> live, bool judged, base::MonoTime now);

  /// The same after a restart, with what was `left` of its windows; one that is not among them
  /// begins anew. What was counted is forgotten, a suspicion is not: it has to be found again.
  void go_on(std::shared_ptr<const snapshot::Snapshot> live,
             std::shared_ptr<const snapshot::Snapshot> good, bool suspected, const TimeLeft& left,
             base::MonoTime now);
  TimeLeft left(base::MonoTime now) const;

  /// Something else decides from now on, until `serves`.
  void end() {
    good_.reset();
    suspicion_.reset();
    was_suspected_ = false;
  }

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
  /// The same, or it was before a restart and nothing has been found since.
  bool is_suspected() const { return is_comparing() || was_suspected_; }
  /// When the last window ends; while comparing, when that does.
  base::MonoTime until() const { return until_; }
  const snapshot::Snapshot& live() const { return *live_; }
  /// What `live` is compared with; only while watching.
  const std::shared_ptr<const snapshot::Snapshot>& good() const { return good_; }

 private:
  struct Window {
    Guarded guarded;
    base::MonoTime until;
  };

  void open_windows(base::MonoTime now);
  Step look_for_suspicion(base::MonoTime now);
  Step compare_both(base::MonoTime now);
  Step clear(const std::string& why, base::MonoTime now);
  void set_until(base::MonoTime now);

  const Count count_;
  std::shared_ptr<const snapshot::Snapshot> live_;
  std::shared_ptr<const snapshot::Snapshot> good_;  ///< null: idle
  std::vector<Window> windows_;
  Tallies live_at_start_;   ///< of its lane
  Tallies other_at_start_;  ///< of the lane of good_, while comparing
  Tallies before_;          ///< under good_, before the commit
  std::optional<Suspicion> suspicion_;
  bool was_suspected_ = false;
  schema::RolloutGuard suspecting_;  ///< the guard that suspects
  base::MonoTime until_{};
};

}  // namespace headgate::reconciler
