// SPDX-License-Identifier: MIT
// What the journal's records add up to: the ledger of invalidations, the generations, the events.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "appliance/cache/purge.h"
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
  std::vector<std::string> paths;
  schema::Invalidation::Mode mode = schema::Invalidation::Mode::Revalidate;
  std::string activated_at;  ///< RFC 3339
  std::string commit;
  /// Whether stored responses may be older than it: never after a start, because the cache is in
  /// memory.
  bool active = false;
};

/// One generation: a commit that went live.
struct Activation {
  std::uint64_t generation = 0;
  std::string commit;
  std::string digest;  ///< names the file in snapshots/
  std::string time;
  std::string subject;
  std::size_t invalidations = 0;  ///< newly seen ones
};

/// Which invalidations were acted upon, and when: the reason that each happens exactly once.
class Ledger {
 public:
  std::uint64_t epoch() const { return epoch_; }
  const LedgerEntry* find(const std::string& id) const;
  /// In order of their ids.
  const std::map<std::string, LedgerEntry>& entries() const { return entries_; }
  void add(LedgerEntry entry);
  void set_epoch(std::uint64_t epoch);  ///< never decreases
  /// From now on stored responses may be older than the entry.
  void mark_active(const std::string& id);

  /// An error for every invalidation of `model` that came before with other content (CloudFront's
  /// CallerReference rule).
  std::vector<schema::Diagnostic> check(const schema::Model& model) const;
  /// The invalidations of `model` that are not in the ledger, as entries at `epoch`.
  std::vector<LedgerEntry> unseen(const schema::Model& model, std::uint64_t epoch) const;
  /// The rules of every active entry, at this ledger's epoch.
  cache::PurgeTable purge_table() const;

 private:
  std::map<std::string, LedgerEntry> entries_;
  std::uint64_t epoch_ = 0;
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
  /// The newest last.
  const std::deque<Activation>& activations() const { return activations_; }
  /// (sequence, JSON line), the newest last; the last kMaxEvents.
  const std::deque<std::pair<std::uint64_t, std::string>>& events() const { return events_; }

  /// Records that add up to the same: one checkpoint, then the events as they were.
  std::vector<Json> compacted() const;

 private:
  void apply_activated(const Json& record);
  void apply_checkpoint(const Json& record);

  Ledger ledger_;
  std::uint64_t generation_ = 0;
  std::uint64_t folded_through_ = 0;  ///< records up to this sequence are in the checkpoint already
  std::uint64_t last_sequence_ = 0;
  std::string last_time_;
  std::deque<Activation> activations_;
  std::deque<std::pair<std::uint64_t, std::string>> events_;
};

Json to_json(const LedgerEntry& entry);
LedgerEntry ledger_entry_of(const Json& json);
Json to_json(const Activation& activation);

}  // namespace headgate::reconciler
