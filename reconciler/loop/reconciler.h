// SPDX-License-Identifier: MIT
// The loop that makes the edge what the repository says: fetch, validate, compile, test, activate,
// again and again.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "appliance/base/mutex.h"
#include "appliance/snapshot/snapshot.h"
#include "reconciler/loop/activator.h"
#include "reconciler/loop/board.h"
#include "reconciler/loop/invalidator.h"
#include "reconciler/loop/pace.h"
#include "reconciler/loop/reviewer.h"
#include "reconciler/rollout/canary.h"
#include "reconciler/rollout/progress.h"
#include "reconciler/rollout/watch.h"
#include "reconciler/source/source.h"
#include "reconciler/state/audit.h"
#include "reconciler/trust/verifier.h"

namespace headgate::reconciler {

struct ReconcilerOptions {
  schema::EdgeSource source;
  schema::EdgeVerify verify;
  ActivatorOptions activator;
  snapshot::CompileOptions compile;
  std::string version;  ///< of headgate, for the journal
  /// Gets each event of the journal, as a line of JSON, when it has been written; may be empty.
  /// Called with the activator's mutex held: must not wait.
  std::function<void(const std::string&)> on_event;
  /// Looks again at what is in no commit, when somebody asks for a round; may be empty. Called on
  /// the reconciler's thread.
  std::function<void(snapshot::CompileOptions&)> refresh;
  /// What requests came to; empty: no commit is watched.
  Count count;
  /// Measures windows and steps.
  std::function<base::MonoTime()> mono_now = base::mono_now;
};

/// What one round came to.
enum class Round { Unchanged, Applied, Staged, Refused, SourceFailed, StateFailed };
std::string_view name(Round round);  ///< "unchanged", "applied", …

/// Threads: open, resume, reconcile, start and stop from one; the rest from any.
class Reconciler {
 public:
  /// Opens state and source. Errors: Blame::Config or Blame::Self, one line that says what to do.
  /// An unreachable source is none.
  static Result<std::unique_ptr<Reconciler>> open(ReconcilerOptions options,
                                                  snapshot::SnapshotHolder& holder, Disk& disk);
  ~Reconciler();

  /// Publishes the last good configuration from disk, without the source; false when there is none.
  /// A commit that goes live by steps, or is watched, goes on where it was.
  bool resume();
  /// One round. `asked`: somebody wants it now, so a commit that was refused is tried again, and
  /// one that is live when a secret or the geo database has changed since.
  Round reconcile(bool asked);

  /// Rounds on a thread of its own, on another one what becomes due in between, and on a third one
  /// the guard, until stop.
  void start();
  /// Ends a fetch that is under way.
  void stop();
  /// The next round begins at once.
  void reconcile_now();

  /// Back to `generation`, or for 0 to the newest of another commit than the live one (or, from a
  /// commit that goes live step by step, to the live one). The commit that is left does
  /// not go live again until another one has, or `resume_following`. Errors: Blame::Config when it
  /// cannot be done; Blame::Self when the state cannot be read or written; nothing has changed
  /// then.
  Result<Activation> roll_back(std::uint64_t generation, const std::string& reason);
  /// No commit goes live until then; the last word counts. Errors: Blame::Self as above.
  Result<Timestamp> suspend(Duration how_long, const std::string& reason);
  /// Ends both. Errors: also Blame::Config when there was nothing to end.
  Status resume_following();

  /// One look at the requests of the commit that went live last, or does step by step; `start` has
  /// it done many times a second. Rolls back when they tell, and takes the next step when it is
  /// due.
  void guard(base::MonoTime now);

  /// Called after every swap, with the activator's mutex held: must not call back. Before `start`.
  void on_swap(std::function<void(const Swap&)> callback);
  /// Writes an event into the journal. One that cannot be kept is logged.
  void record(const Json& event);

  const Board& board() const { return board_; }
  /// A condition of the machine's, beside those of what it follows. Threads: any.
  void set_condition(const std::string& type, Condition::Value value, std::string reason,
                     std::string message) {
    board_.set(type, value, std::move(reason), std::move(message));
  }
  void clear_condition(const std::string& type) { board_.remove(type); }
  /// When what an operator has suspended goes on; none when nothing is.
  std::optional<Timestamp> suspended_until();
  Invalidator& invalidator() { return invalidator_; }
  const Reviewer& reviewer() const { return reviewer_; }

 private:
  Reconciler(ReconcilerOptions options, std::unique_ptr<Source> source,
             std::unique_ptr<Activator> activator, Disk& disk);
  void loop();
  void open_audit(Disk& disk);
  void on_event(std::uint64_t sequence, const std::string& line);
  void tick_until_stop();
  std::shared_ptr<const snapshot::Snapshot> current() const;
  std::optional<Refusal> objection(const Prepared& prepared) const;
  bool wait_for_next_round(bool* asked);
  Round run_round(bool asked);
  Round apply(const std::string& commit);
  struct Candidate;
  std::optional<Round> read(const std::string& commit, Candidate& candidate);
  std::optional<Round> verify_signatures(const std::string& commit, Candidate& candidate);
  std::optional<Round> prepare(const std::string& commit, Candidate& candidate);
  Round put_live(const Candidate& candidate);
  Result<Activation> activate(const Candidate& candidate, bool judged);
  void tell_applied(const Candidate& candidate, const Activation& activation);
  void forget_refusal();
  void show_verified(const Activation& activation);
  Round on_source_failure(const std::string& message);
  void show_source();
  Round on_state_failure(const std::string& message);
  Round refuse(const CommitInfo& commit, Refusal refusal);
  bool must_wait(const std::string& commit);
  bool waits_for_window(const std::string& commit);
  bool is_emergency(const std::string& live, const std::string& commit) const;
  std::optional<Suspension> suspension() const;
  void show_overrides();
  void guard_until_stop();
  void watch(base::MonoTime now);
  void watch_live(bool judged);
  void show_watch(const std::string& suspicion);
  void tell_watch(const char* type, const std::string& reason);
  void roll_back_by_guard(const std::string& reason);
  std::uint64_t against(const snapshot::Configuration& commit) const;
  const schema::Rollout* find_steps(const Prepared& prepared) const;
  Status stage(const Prepared& prepared, const schema::Tree& tree, const CommitInfo& commit,
               const std::optional<Evidence>& evidence, const schema::Rollout& rollout);
  void show_canary();
  void resume_canary();
  void resume_watch(const WatchedCommit& watched);
  Progress progress_of(std::uint64_t generation, std::size_t step) const;
  std::string progress_path() const;
  void save_progress(base::MonoTime now, bool at_once);
  void advance(base::MonoTime now);
  void promote();
  Result<Activation> leave_staged(const RollbackCause& cause);
  void drop_staged();
  void say_once(const std::string& trouble);
  void show_pending(const std::string& commit, std::optional<Timestamp> opens);
  bool is_settled(const std::string& commit, bool asked) const;
  bool has_changed_outside(const snapshot::Snapshot& live) const;
  void show_applied(const Activation& activation, const std::vector<schema::Diagnostic>& warnings);
  void note(const Json& event);
  void log(const std::string& line) const;

  ReconcilerOptions options_;
  std::unique_ptr<Source> source_;
  /// Serialises whoever takes a commit through the stages: rounds and reviews. Before the other.
  mutable base::Mutex stages_mutex_;
  /// Serialises whoever uses the activator: rounds, urgent purges, ticks.
  mutable base::Mutex state_mutex_;
  const std::unique_ptr<Activator> activator_;
  std::unique_ptr<Audit> audit_;  ///< null: it could not be opened
  bool events_are_new_ = false;   ///< not those of the time before this process
  Invalidator invalidator_;
  const Reviewer reviewer_;
  schema::Loader loader_;
  Board board_;
  Pace pace_;
  Cancellation cancellation_;

  /// What waits for a change window, and when that opens; with the activator's mutex.
  std::string pending_commit_;
  std::optional<Timestamp> window_opens_;

  Watch watch_;    ///< with the activator's mutex
  Canary canary_;  ///< with the same; while it runs, the watch rests
  Disk& disk_;
  base::MonoTime saved_at_{};  ///< when the progress of both was; with the same
  bool saving_fails_ = false;
  std::string guard_trouble_;  ///< why the last rollback could not be done; with the same

  // What the last round left, so that nothing is said or tried twice.
  bool source_failing_ = false;
  std::string source_url_;  ///< that served
  std::string refused_commit_;
  Stage refused_stage_ = Stage::Validate;
  std::vector<std::string> refused_diagnostics_;

  base::Mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable stop_;
  bool asked_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
  std::thread ticker_;
  std::thread guard_;
};

}  // namespace headgate::reconciler
