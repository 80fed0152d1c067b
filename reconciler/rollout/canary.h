// SPDX-License-Identifier: MIT
// A commit that goes live step by step: when its share grows, when it goes live, and when it does
// not.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "appliance/base/time.h"
#include "reconciler/rollout/tallies.h"

namespace headgate::reconciler {

/// Both configurations serve all the time, so what befalls both alike is seen for what it is, and
/// nothing needs a second look. It does nothing itself. Threads: one at a time.
class Canary {
 public:
  explicit Canary(Count count) : count_(std::move(count)) {}

  /// `commit` serves the first share of `rollout`, beside `live`.
  void begin(std::shared_ptr<const snapshot::Snapshot> live,
             std::shared_ptr<const snapshot::Snapshot> commit, const schema::Rollout& rollout,
             base::MonoTime now);
  /// After `begin`, what was reached before a restart: the step, from 1, and what was `left` of it.
  void go_on(std::size_t step, Duration left, base::MonoTime now);
  Duration left(base::MonoTime now) const {
    return std::max<Duration>(Duration::zero(), until_ - now);
  }
  void end() { commit_.reset(); }

  enum class Act {
    Nothing,
    Widen,    ///< serve `share`
    Promote,  ///< the commit has passed its last step
    Abort,    ///< it is worse than what is live
  };
  struct Step {
    Act act = Act::Nothing;
    std::string reason;  ///< for people: of Abort
  };
  /// `may_advance`: nobody has said that commits wait.
  Step look(base::MonoTime now, bool may_advance);

  bool is_running() const { return commit_ != nullptr; }
  const snapshot::Snapshot& commit() const { return *commit_; }
  const schema::Rollout& rollout() const { return rollout_; }
  double share() const { return rollout_.steps[step_]; }  ///< in percent
  std::size_t step() const { return step_ + 1; }          ///< from 1
  base::MonoTime until() const { return until_; }         ///< of the step

 private:
  Step judge() const;

  const Count count_;
  std::shared_ptr<const snapshot::Snapshot> live_;
  std::shared_ptr<const snapshot::Snapshot> commit_;  ///< null: nothing is under way
  schema::Rollout rollout_;
  std::vector<Guarded> guarded_;
  Tallies live_at_start_;
  Tallies commit_at_start_;
  std::size_t step_ = 0;
  base::MonoTime until_{};
};

/// Whom the canary's commit serves at its step.
snapshot::Split split_of(const Canary& canary);

}  // namespace headgate::reconciler
