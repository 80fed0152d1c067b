// SPDX-License-Identifier: MIT
// Which invalidations were acted upon, and what came of them: the reason that each happens exactly
// once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "appliance/cache/purge/table.h"
#include "reconciler/state/journal.h"
#include "schema/diagnostic.h"
#include "schema/model/model.h"

namespace headgate::reconciler {

/// An invalidation that has been acted upon. An id is in the ledger once and for good.
struct LedgerEntry {
  std::string id;
  std::string digest;  ///< of what was asked: the same id with another digest is refused
  std::uint64_t epoch = 0;
  std::string distribution;
  schema::InvalidationSelect select;
  schema::Invalidation::Mode mode = schema::Invalidation::Mode::Revalidate;
  Duration retain_for = Duration::zero();
  std::string undoes;        ///< id of what it takes back
  std::string rejected;      ///< why nothing was done; empty: it was
  std::string source;        ///< git, api, schedule
  std::string activated_at;  ///< RFC 3339
  std::string commit;        ///< that was live then
  /// What it has come to; shared with the purge tables.
  std::shared_ptr<cache::PurgeCount> count = std::make_shared<cache::PurgeCount>();

  /// Whether stored responses may be older than it: never after a start, because the cache is in
  /// memory.
  bool active = false;
  bool undone = false;
  /// The generations that select.fetchedUnder names; known when it becomes active.
  std::optional<cache::Generations> generations;

  /// Until when it can be undone.
  Timestamp retained_until() const;
  /// Never without retainFor, also when the clock was set back.
  bool is_retained(Timestamp now) const {
    return retain_for > Duration::zero() && now < retained_until();
  }
  /// Active, Swept, Rejected.
  const char* state() const;
};

/// `invalidation` as an entry that nothing has been done about yet.
LedgerEntry make_entry(const schema::Invalidation& invalidation, std::uint64_t epoch,
                       std::string source);

class Ledger {
 public:
  std::uint64_t epoch() const { return epoch_; }
  const LedgerEntry* find(const std::string& id) const;
  /// In order of their ids.
  const std::map<std::string, LedgerEntry>& entries() const { return entries_; }
  const std::set<std::string>& active() const { return active_; }
  /// Adds what was recorded, as active as that was; takes back what it undoes. False, and nothing
  /// changes, when the id is known.
  bool add(LedgerEntry entry);
  void set_epoch(std::uint64_t epoch);  ///< never decreases
  /// From now on stored responses may be older than the entry. `generations`: of fetchedUnder.
  void mark_active(const std::string& id, std::optional<cache::Generations> generations = {});
  /// Nothing that is stored can be older than these any more. Unknown and inactive ids are skipped.
  void mark_swept(const std::vector<std::string>& ids, std::uint64_t epoch);
  /// Nothing is stored at all.
  void forget_active();
  /// What was counted before a restart.
  void set_counts(const std::string& id, std::uint64_t matched, std::uint64_t freed_bytes);

  /// When each schedule was last looked at: ticks up to then have been dealt with.
  const std::map<std::string, Timestamp>& schedules() const { return schedules_; }
  void set_schedule(const std::string& name, Timestamp until) { schedules_[name] = until; }

  /// An error for every invalidation of `model` that came before with other content (CloudFront's
  /// CallerReference rule).
  std::vector<schema::Diagnostic> check(const schema::Model& model) const;
  /// The invalidations of `model` that are due at `now` and not in the ledger, as entries at
  /// `epoch`.
  std::vector<LedgerEntry> unseen(const schema::Model& model, std::uint64_t epoch,
                                  Timestamp now) const;
  /// Why `entry` cannot be done at `now`; empty when it can. Only undoing has such reasons.
  std::string objection(const LedgerEntry& entry, Timestamp now) const;
  /// How many patterns the active entries have: see PurgeTable::kMaxPatterns.
  std::size_t active_patterns() const { return active_patterns_; }
  /// Whether an active entry that was retained at `before` no longer is at `now`.
  bool lapses(Timestamp before, Timestamp now) const;
  /// The rules of every active entry, at this ledger's epoch. What can be undone at `now` is
  /// retained.
  cache::PurgeTable purge_table(Timestamp now) const;
  /// The same table out of `before`, which had all of its rules but those of `ids`.
  cache::PurgeTable purge_table(const cache::PurgeTable& before,
                                const std::vector<std::string>& ids, Timestamp now) const;

 private:
  void activate(LedgerEntry& entry);
  void deactivate(LedgerEntry& entry);

  std::map<std::string, LedgerEntry> entries_;
  std::set<std::string> active_;
  std::size_t active_patterns_ = 0;
  std::map<std::string, Timestamp> schedules_;
  std::uint64_t epoch_ = 0;
  std::uint64_t swept_epoch_ = 0;
};

Json to_json(const LedgerEntry& entry);
LedgerEntry ledger_entry_of(const Json& json);
cache::PurgeRule purge_rule(const LedgerEntry& entry, Timestamp now);
/// Patterns of one selection.
std::size_t patterns_of(const schema::InvalidationSelect& select);

/// Members of a record that may be missing or of another type: then empty, 0, an empty list.
std::string text_of(const Json& json, const char* name);
std::uint64_t number_of(const Json& json, const char* name);
const Json& list_of(const Json& json, const char* name);

}  // namespace headgate::reconciler
