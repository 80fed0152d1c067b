// SPDX-License-Identifier: MIT
// The one place where a configuration goes live: snapshot file, journal record, pointer swap, in
// this order.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/cache/purge/sweep.h"
#include "appliance/snapshot/snapshot.h"
#include "reconciler/loop/pipeline.h"
#include "reconciler/source/repository.h"
#include "reconciler/state/history.h"
#include "reconciler/state/journal.h"
#include "reconciler/state/snapshot_store.h"
#include "reconciler/state/state_folder.h"

namespace headgate::reconciler {

struct ActivatorOptions {
  std::string state;                             ///< --state
  std::size_t snapshots_kept = 5;                ///< distinct configurations
  std::uint64_t journal_limit_bytes = 4U << 20;  ///< beyond it the journal is compacted
  /// What was cached before a restart may still be there: invalidations that are not over go on.
  bool cache_survives = false;
  std::function<void(const std::string&)> log;      ///< one line for the operator
  std::function<Timestamp()> now = base::wall_now;  ///< decides what is due and what can be undone
};

/// Why a commit may go live, where commits are verified.
struct Evidence {
  std::vector<std::string> signers;
  std::string trusted_commit;  ///< the operator's that the commit contains; empty: none
};

/// Why one goes back.
struct RollbackCause {
  std::string reason;     ///< may be empty
  bool by_guard = false;  ///< no operator has done it
};

/// What has just gone live.
struct Swap {
  std::shared_ptr<const snapshot::Snapshot> snapshot;
  std::vector<schema::Invalidation> invalidated;  ///< what became invalid with it
};

/// Owns the state folder. Crash before the journal record is durable: neither configuration nor
/// purges happened; after it: both did. Threads: one at a time.
class Activator {
 public:
  /// Errors: Blame::Config or Blame::Self, one line that says what to do.
  static Result<std::unique_ptr<Activator>> open(ActivatorOptions options,
                                                 snapshot::SnapshotHolder& holder, Disk& disk);

  /// Publishes the newest configuration on disk that is whole and still compiles, without the
  /// source. The newest of all keeps its generation; an older one gets a new generation, because
  /// generations never go back. False when there is none. `with_staged`: what was staged beside it
  /// is staged again (`staged`), for nobody before `widen`; otherwise, and when it cannot be, what
  /// is live gets a new generation, too, since viewers have seen the one that was staged.
  bool resume(schema::Loader& loader, const snapshot::CompileOptions& options,
              bool with_staged = false);
  /// What was live as `generation`, as it could serve beside what is live. Errors: as of `load`;
  /// Blame::Config when it is not known.
  Result<std::shared_ptr<const snapshot::Snapshot>> recall(std::uint64_t generation,
                                                           schema::Loader& loader,
                                                           const snapshot::CompileOptions& options);

  /// Makes `prepared`, read from `tree`, the configuration of a new generation, together with the
  /// invalidations that have not been seen. Errors: Blame::Self when the state cannot be written;
  /// nothing has changed then. `history_rewritten` goes into the record, and
  /// so do who signed the commit, when it was verified, and the generation that it is
  /// `watched_against`; 0: it is not watched.
  Result<Activation> activate(const Prepared& prepared, const schema::Tree& tree,
                              const CommitInfo& commit, bool history_rewritten,
                              const std::optional<Evidence>& evidence = {},
                              std::uint64_t watched_against = 0);

  /// Lets `prepared` serve those whom `split` says, under a generation of its own, beside what is
  /// live, until `promote` or the next activation. Its invalidations come with `promote`. Errors:
  /// as above.
  Status stage(const Prepared& prepared, const schema::Tree& tree, const CommitInfo& commit,
               const std::optional<Evidence>& evidence, const snapshot::Split& split);
  /// Others get what is staged, too.
  void widen(const snapshot::Split& split);
  /// Makes what is staged live for all, in the generation that it has. Errors: as above.
  Result<Activation> promote(std::uint64_t watched_against = 0);
  /// What is staged, or null.
  std::shared_ptr<const snapshot::Snapshot> staged() const {
    return staged_ ? staged_->snapshot : nullptr;
  }
  const Prepared& staged_prepared() const { return staged_->prepared; }
  /// Makes what is live the configuration of a new generation: nobody gets what is staged any more.
  /// Errors: as above.
  Result<Activation> renew();

  /// What roll_back would go to: `generation`, or for 0 the newest of another commit than the live
  /// one. Errors: Blame::Config when there is none.
  Result<Activation> find_earlier(std::uint64_t generation) const;
  /// The configuration of an earlier generation. `previous`: what it shares with that is not
  /// compiled again. Errors: Blame::Self when its file is gone or damaged, Blame::Config when it is
  /// not valid here any more. May be called while others read, not while they write.
  Result<Prepared> load(const std::string& digest, schema::Loader& loader,
                        const snapshot::CompileOptions& options,
                        const snapshot::Configuration* previous = nullptr) const;
  /// Makes `configuration`, of the generation `earlier`, live under a new generation, and purges
  /// what was fetched under the commit that is left, which does not go live again by itself: the
  /// staged one, else the live one. Errors: as above.
  Result<Activation> roll_back(const Activation& earlier,
                               std::shared_ptr<const snapshot::Configuration> configuration,
                               const RollbackCause& cause);

  /// Gives every second request to `earlier`, with the purges of today, until the next generation
  /// or `compare_no_more`.
  void compare_with(const snapshot::Snapshot& earlier);
  void compare_no_more();

  /// Purges without a commit, all of `invalidations` in one record: returns what is in the ledger
  /// under their ids, also of those that were there before. `schedules`: until when these have been
  /// looked at. Errors: Blame::Self when the state cannot be written; nothing has changed then.
  Result<std::vector<LedgerEntry>> invalidate(
      const std::vector<schema::Invalidation>& invalidations, const std::string& source,
      const std::map<std::string, Timestamp>& schedules = {});
  /// The rule that `invalidation` would become if it came now.
  cache::PurgeRule purge_rule_of(const schema::Invalidation& invalidation) const;
  /// Takes the rules of `swept` out, and notes what they came to.
  void retire(const cache::Swept& swept);
  /// Lets go of what could be undone `before` and no longer can.
  void let_go(Timestamp before);
  Timestamp now() const { return options_.now(); }

  /// Writes an event. Errors: as above; events are not worth stopping for.
  Status record(const Json& event);

  const History& history() const { return history_; }
  /// What is live, or null.
  const std::shared_ptr<const snapshot::Snapshot>& current() const { return current_; }
  const std::string& state_path() const { return folder_.path(); }
  /// Called with every event that became durable: (sequence, JSON line).
  void on_event(std::function<void(std::uint64_t, const std::string&)> callback);
  /// Called after every swap that brought another configuration or made something invalid.
  void on_swap(std::function<void(const Swap&)> callback) { on_swap_ = std::move(callback); }

 private:
  Activator(ActivatorOptions options, StateFolder folder, snapshot::SnapshotHolder& holder,
            Disk& disk);
  struct Staged {
    Prepared prepared;
    CommitInfo commit;
    std::string digest;
    std::optional<Evidence> evidence;
    std::shared_ptr<const snapshot::Snapshot> snapshot;
  };

  bool resume_staged(schema::Loader& loader, const snapshot::CompileOptions& options,
                     const Activation& live,
                     std::shared_ptr<const snapshot::Configuration> configuration);
  Result<std::string> keep(const Prepared& prepared, const schema::Tree& tree);
  Result<Activation> go_live(const Prepared& prepared, const std::string& digest,
                             const CommitInfo& commit, Json details);
  Result<Activation> renew(const Activation& activation,
                           std::shared_ptr<const snapshot::Configuration> configuration);
  std::shared_ptr<snapshot::Snapshot> make_snapshot(
      std::uint64_t generation, const std::string& commit,
      std::shared_ptr<const snapshot::Configuration> configuration);
  LedgerEntry as_active(LedgerEntry entry) const;
  void remember_what_was_served();
  Result<Activation> commit(const std::string& digest, const CommitInfo& commit,
                            const std::vector<LedgerEntry>& entries, const Json& details);
  bool is_new(const std::string& name, const schema::InvalidationSchedule& schedule) const;
  std::uint64_t next_epoch() const;
  void mark_active(const std::vector<LedgerEntry>& entries);
  cache::Generations generations_of(const std::string& commit) const;
  void publish_purges();
  void publish_purges(const std::vector<LedgerEntry>& fresh);
  void publish_purges(cache::PurgeTable purges);
  void publish_beside(std::shared_ptr<const snapshot::Snapshot> other,
                      std::shared_ptr<const snapshot::Split> split);
  void publish(const Activation& activation,
               std::shared_ptr<const snapshot::Configuration> configuration, bool purges_changed);
  Status append(const Json& record);
  void compact();
  void tidy();
  void tell(const std::vector<LedgerEntry>& entries,
            const std::function<const schema::Invalidation*(const std::string&)>& find) const;
  void log(const std::string& line) const;

  ActivatorOptions options_;
  StateFolder folder_;
  snapshot::SnapshotHolder& holder_;
  std::unique_ptr<Journal> journal_;
  std::uint64_t compacted_bytes_ = 0;  ///< size of the journal after it was compacted last
  SnapshotStore store_;
  History history_;
  std::shared_ptr<const snapshot::Snapshot> current_;
  std::shared_ptr<const snapshot::Snapshot> beside_;  ///< serves, too; null: none
  std::shared_ptr<const snapshot::Split> split_;      ///< whom that serves
  std::optional<Staged> staged_;
  /// What has been live since the start, for fetchedUnder: of older ones only that they were.
  std::vector<std::pair<std::uint64_t, std::string>> served_;
  std::uint64_t forgotten_generation_ = 0;
  std::function<void(std::uint64_t, const std::string&)> on_event_;
  std::function<void(const Swap&)> on_swap_;
};

}  // namespace headgate::reconciler
