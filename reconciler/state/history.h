// SPDX-License-Identifier: MIT
// What the journal's records add up to: the ledger of invalidations, the generations, the events.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/state/journal.h"
#include "reconciler/state/ledger.h"

namespace headgate::reconciler {

/// One generation: a commit that went live.
struct Activation {
  std::uint64_t generation = 0;
  std::string commit;
  std::string digest;  ///< names the file in snapshots/
  std::string time;
  std::string subject;
  std::string author;
  std::size_t invalidations = 0;     ///< newly seen ones
  bool verified = false;             ///< by its signatures, when it went live
  std::vector<std::string> signers;  ///< who signed the commit, when it is verified
  std::string trusted_commit;        ///< the operator's that it contains; empty: none
};

/// An operator's word that commits wait.
struct Suspension {
  Timestamp until;
  std::string reason;
};

/// A commit that somebody went back from: it does not go live again by itself.
struct HeldCommit {
  std::string commit;
  std::string reason;     ///< may be empty
  bool by_guard = false;  ///< no operator has done it
};

/// The commit that is live is watched, because it took the place of another one.
struct WatchedCommit {
  std::uint64_t generation = 0;
  std::uint64_t against = 0;  ///< the generation that it is held against
  bool suspected = false;
};

/// Threads: one at a time.
class History {
 public:
  static constexpr std::size_t kMaxActivations = 50;
  static constexpr std::size_t kMaxEvents = 500;

  /// Folds one record in. Unknown types are events only.
  void apply(const Json& record);

  const Ledger& ledger() const { return ledger_; }
  Ledger& ledger() { return ledger_; }
  std::uint64_t generation() const { return generation_; }
  /// None when nobody said so; it may be over.
  const std::optional<Suspension>& suspension() const { return suspension_; }
  /// Since the last commit that went live by itself; the newest last.
  const std::vector<HeldCommit>& held() const { return held_; }
  bool is_held(const std::string& commit) const;
  /// The commit that an operator let through: it need not wait, and nothing holds it again; empty:
  /// none.
  const std::string& released() const { return released_; }
  /// What goes live by steps, and the step that it has reached, from 1; none when nothing does.
  const std::optional<Activation>& staged() const { return staged_; }
  std::size_t step() const { return step_; }
  /// None when no guard window is open.
  const std::optional<WatchedCommit>& watched() const { return watched_; }
  /// The newest last.
  const std::deque<Activation>& activations() const { return activations_; }
  /// (sequence, JSON line), the newest last; the last kMaxEvents.
  const std::deque<std::pair<std::uint64_t, std::string>>& events() const { return events_; }

  /// Records that add up to the same: one checkpoint, then the events as they were.
  std::vector<Json> compacted() const;

 private:
  void apply_activated(const Json& record);
  void apply_invalidated(const Json& record, const std::string& commit);
  void apply_swept(const Json& record);
  void apply_schedules(const Json& record);
  void apply_overrides(const Json& record);
  void apply_rollout(const std::string& type, const Json& record);
  void apply_checkpoint(const Json& record);
  void apply_ledger(const Json& record);

  Ledger ledger_;
  std::uint64_t generation_ = 0;
  std::uint64_t folded_through_ = 0;  ///< records up to this sequence are in the checkpoint already
  std::uint64_t last_sequence_ = 0;
  std::string last_time_;
  std::deque<Activation> activations_;
  std::optional<Suspension> suspension_;
  std::vector<HeldCommit> held_;
  std::string released_;
  std::optional<Activation> staged_;
  std::size_t step_ = 0;
  std::optional<WatchedCommit> watched_;
  std::deque<std::pair<std::uint64_t, std::string>> events_;
};

Json to_json(const Activation& activation);

}  // namespace headgate::reconciler
