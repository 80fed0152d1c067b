// SPDX-License-Identifier: MIT
// The one place where a configuration goes live: snapshot file, journal record, pointer swap, in
// this order.
#include "reconciler/loop/activator.h"

#include <algorithm>

#include "appliance/observe/tally.h"

namespace headgate::reconciler {
namespace {

/// Beyond it the oldest generations are one to select.fetchedUnder.
constexpr std::size_t kMaxServed = 4096;

/// As members of the record.
Json to_json(const Evidence& evidence) {
  Json json{{"verified", true}, {"signers", evidence.signers}};
  if (!evidence.trusted_commit.empty()) json["trustedCommit"] = evidence.trusted_commit;
  return json;
}

}  // namespace

Result<std::unique_ptr<Activator>> Activator::open(ActivatorOptions options,
                                                   snapshot::SnapshotHolder& holder, Disk& disk) {
  HG_TRY(StateFolder folder, StateFolder::open(options.state), "opening the state");
  std::unique_ptr<Activator> activator(
      new Activator(std::move(options), std::move(folder), holder, disk));
  std::string report;
  HG_TRY(activator->journal_, Journal::open(activator->folder_.journal(), disk, &report),
         "opening the state");
  if (!report.empty()) activator->log(report);
  for (const Json& record : activator->journal_->records()) activator->history_.apply(record);
  activator->journal_->forget();
  activator->remember_what_was_served();
  return activator;
}

Activator::Activator(ActivatorOptions options, StateFolder folder, snapshot::SnapshotHolder& holder,
                     Disk& disk)
    : options_(std::move(options)),
      folder_(std::move(folder)),
      holder_(holder),
      store_(folder_.snapshots(), disk) {}

/// What is cached of it may still be there, or nothing is.
void Activator::remember_what_was_served() {
  if (!options_.cache_survives) return history_.ledger().forget_active();
  const std::deque<Activation>& activations = history_.activations();
  for (const Activation& each : activations) served_.emplace_back(each.generation, each.commit);
  if (const auto& staged = history_.staged())
    served_.emplace_back(staged->generation, staged->commit);
  if (!activations.empty()) forgotten_generation_ = activations.front().generation - 1;
}

void Activator::on_event(std::function<void(std::uint64_t, const std::string&)> callback) {
  on_event_ = std::move(callback);
  for (const auto& [sequence, line] : history_.events()) on_event_(sequence, line);
}

Result<Activation> Activator::activate(const Prepared& prepared, const schema::Tree& tree,
                                       const CommitInfo& commit, bool history_rewritten,
                                       const std::optional<Evidence>& evidence,
                                       std::uint64_t watched_against) {
  HG_TRY(const std::string digest, keep(prepared, tree), "keeping the configuration");
  Json details = Json::object();
  if (watched_against != 0) details["watchedAgainst"] = watched_against;
  if (history_rewritten) details["historyRewritten"] = true;
  if (evidence) details.update(to_json(*evidence));
  return go_live(prepared, digest, commit, std::move(details));
}

Result<std::string> Activator::keep(const Prepared& prepared, const schema::Tree& tree) {
  HG_TRY(const std::string packed, pack_tree(tree, prepared.files), "packing it");
  std::string digest = digest_of(packed);
  HG_CHECK(store_.write(digest, packed), "writing it");
  return digest;
}

Result<Activation> Activator::go_live(const Prepared& prepared, const std::string& digest,
                                      const CommitInfo& commit, Json details) {
  // While nothing has been live there is nothing in the cache that could be older: late joiners
  // purge nothing (config.md, 3.5).
  const bool cache_is_empty = current_ == nullptr;
  std::vector<LedgerEntry> entries = history_.ledger().unseen(*prepared.model, next_epoch(), now());
  if (cache_is_empty)
    for (LedgerEntry& entry : entries) entry.rejected.clear();
  for (const auto& [name, schedule] : prepared.model->invalidation_schedules)
    if (is_new(name, *schedule))  // ticks count from its appearance
      details["schedules"][name] = format_timestamp(now());
  HG_TRY(const Activation activation, this->commit(digest, commit, entries, details), "activating");

  mark_active(entries);
  publish(activation, prepared.configuration, cache_is_empty || !entries.empty());
  if (cache_is_empty) entries.clear();  // nothing that was cached became invalid
  tell(entries, [&](const std::string& id) {
    const auto found = prepared.model->invalidations.find(id);
    return found == prepared.model->invalidations.end() ? nullptr : found->second.get();
  });
  tidy();
  return activation;
}

Status Activator::stage(const Prepared& prepared, const schema::Tree& tree,
                        const CommitInfo& commit, const std::optional<Evidence>& evidence,
                        const snapshot::Split& split) {
  HG_TRY(const std::string digest, keep(prepared, tree), "keeping the configuration");
  const std::uint64_t generation = history_.generation() + 1;
  Json record{{"type", "staged"}, {"generation", generation},  {"commit", commit.id},
              {"digest", digest}, {"subject", commit.subject}, {"author", commit.author}};
  if (evidence) record.update(to_json(*evidence));
  HG_CHECK(append(record), "recording what is staged");
  auto snapshot = make_snapshot(generation, commit.id, prepared.configuration);
  snapshot->purges = current_->purges;
  staged_ = Staged{prepared, commit, digest, evidence, snapshot};
  widen(split);
  return {};
}

void Activator::widen(const snapshot::Split& split) {
  auto next = std::make_shared<snapshot::Split>(split);
  next->generation = staged_->snapshot->generation;
  publish_beside(staged_->snapshot, std::move(next));
}

Result<Activation> Activator::promote(std::uint64_t watched_against) {
  const Staged staged = *staged_;  // going live ends it
  Json details{{"stagedGeneration", staged.snapshot->generation}};
  if (watched_against != 0) details["watchedAgainst"] = watched_against;
  if (staged.evidence) details.update(to_json(*staged.evidence));
  return go_live(staged.prepared, staged.digest, staged.commit, std::move(details));
}

Result<Activation> Activator::renew() {
  return renew(history_.activations().back(), current_->configuration);
}

Result<Activation> Activator::renew(const Activation& activation,
                                    std::shared_ptr<const snapshot::Configuration> configuration) {
  const CommitInfo commit{activation.commit, activation.subject, activation.author, ""};
  Json details{{"resumedGeneration", activation.generation}};
  if (activation.verified)
    details.update(to_json(Evidence{activation.signers, activation.trusted_commit}));
  HG_TRY(const Activation renewed, this->commit(activation.digest, commit, {}, details),
         "activating");
  publish(renewed, std::move(configuration), true);
  return renewed;
}

Result<Activation> Activator::find_earlier(std::uint64_t generation) const {
  if (current_ == nullptr) return fail(Blame::Config, "nothing serves yet");
  const auto& activations = history_.activations();
  const auto found =
      std::find_if(activations.rbegin(), activations.rend(), [&](const Activation& each) {
        return generation == 0 ? each.commit != current_->commit : each.generation == generation;
      });
  if (found == activations.rend())
    return generation == 0
               ? fail(Blame::Config, "there is no other configuration to go back to")
               : fail(Blame::Config, "generation {} is not among those that are known: {} to {}",
                      generation, activations.front().generation, activations.back().generation);
  if (found->commit == current_->commit)
    return fail(Blame::Config, "generation {} is of {}, which is live", generation,
                found->commit.substr(0, 7));
  return *found;
}

Result<Activation> Activator::roll_back(
    const Activation& earlier, std::shared_ptr<const snapshot::Configuration> configuration,
    const RollbackCause& cause) {
  const snapshot::Snapshot& left = staged_ ? *staged_->snapshot : *current_;
  std::vector<LedgerEntry> entries;
  for (const auto& [name, distribution] : left.configuration->model().distributions) {
    schema::Invalidation fetched;
    // No name in a repository has a colon.
    fetched.name = fmt::format("rollback:{}:{}", history_.generation() + 1, name);
    fetched.distribution = name;
    fetched.mode = schema::Invalidation::Mode::Delete;
    fetched.select.fetched_under = left.commit;
    entries.push_back(make_entry(fetched, next_epoch(), "rollback"));
  }
  Json details{{"rolledBackFrom", left.commit},
               {"rolledBackTo", earlier.generation},
               {"by", cause.by_guard ? "guard" : "operator"},
               {"reason", cause.reason}};
  if (earlier.verified) details.update(to_json(Evidence{earlier.signers, earlier.trusted_commit}));
  const CommitInfo info{earlier.commit, earlier.subject, earlier.author, ""};
  HG_TRY(const Activation activation, commit(earlier.digest, info, entries, details),
         "rolling back");
  mark_active(entries);
  publish(activation, std::move(configuration), true);
  tell({}, nullptr);
  tidy();
  return activation;
}

void Activator::compare_with(const snapshot::Snapshot& earlier) {
  publish_beside(std::make_shared<const snapshot::Snapshot>(earlier), nullptr);
}

void Activator::compare_no_more() { publish_beside(nullptr, nullptr); }

/// Purges hold for both.
void Activator::publish_beside(std::shared_ptr<const snapshot::Snapshot> other,
                               std::shared_ptr<const snapshot::Split> split) {
  beside_ = nullptr;
  split_ = std::move(split);
  if (other != nullptr) {
    auto with_purges = std::make_shared<snapshot::Snapshot>(*other);
    with_purges->purges = current_->purges;
    beside_ = std::move(with_purges);
  }
  holder_.publish(current_, beside_, split_);
}

/// Whether a schedule has not been there before, or not at these times.
bool Activator::is_new(const std::string& name,
                       const schema::InvalidationSchedule& schedule) const {
  if (history_.ledger().schedules().count(name) == 0) return true;
  if (current_ == nullptr) return false;
  const auto& before = current_->configuration->model().invalidation_schedules;
  const auto found = before.find(name);
  return found == before.end() || found->second->cron != schedule.cron;
}

std::uint64_t Activator::next_epoch() const {
  return history_.ledger().epoch() + (current_ == nullptr ? 0 : 1);
}

/// Unless nothing in the cache can be older.
void Activator::mark_active(const std::vector<LedgerEntry>& entries) {
  if (current_ == nullptr) return;
  for (const LedgerEntry& entry : entries)
    history_.ledger().mark_active(entry.id, generations_of(entry.select.fetched_under));
}

/// The same as it is recorded.
LedgerEntry Activator::as_active(LedgerEntry entry) const {
  entry.active = current_ != nullptr && entry.rejected.empty() && entry.undoes.empty();
  if (!entry.select.fetched_under.empty())
    entry.generations = generations_of(entry.select.fetched_under);
  return entry;
}

cache::Generations Activator::generations_of(const std::string& commit) const {
  cache::Generations generations;
  for (const auto& [generation, served] : served_)
    if (served.starts_with(commit)) generations.exact.push_back(generation);
  // It may be one of those that are forgotten: rather too much than too little.
  if (generations.exact.empty() || options_.cache_survives)
    generations.through = forgotten_generation_;
  return generations;
}

Result<std::vector<LedgerEntry>> Activator::invalidate(
    const std::vector<schema::Invalidation>& invalidations, const std::string& source,
    const std::map<std::string, Timestamp>& schedules) {
  std::vector<LedgerEntry> fresh;
  Json record;
  record["type"] = "invalidated";
  record["epoch"] = next_epoch();
  record["source"] = source;
  if (current_ != nullptr) record["commit"] = current_->commit;
  record["invalidations"] = Json::array();
  for (const schema::Invalidation& invalidation : invalidations) {
    if (history_.ledger().find(invalidation.id()) != nullptr) continue;
    fresh.push_back(make_entry(invalidation, next_epoch(), source));
    fresh.back().rejected = history_.ledger().objection(fresh.back(), now());
    record["invalidations"].push_back(to_json(as_active(fresh.back())));
  }
  for (const auto& [name, until] : schedules) record["schedules"][name] = format_timestamp(until);
  if (!fresh.empty() || !schedules.empty()) {
    HG_CHECK(append(record), "recording the invalidation");
    mark_active(fresh);
    if (!fresh.empty()) {
      publish_purges(fresh);
      tell(fresh, [&](const std::string& id) {
        const auto found = std::find_if(invalidations.begin(), invalidations.end(),
                                        [&](const auto& each) { return each.id() == id; });
        return found == invalidations.end() ? nullptr : &*found;
      });
    }
    compact();
  }
  std::vector<LedgerEntry> entries;
  for (const schema::Invalidation& invalidation : invalidations)
    entries.push_back(*history_.ledger().find(invalidation.id()));
  return entries;
}

cache::PurgeRule Activator::purge_rule_of(const schema::Invalidation& invalidation) const {
  LedgerEntry entry = make_entry(invalidation, history_.ledger().epoch() + 1, "");
  if (!entry.select.fetched_under.empty())
    entry.generations = generations_of(entry.select.fetched_under);
  return purge_rule(entry, now());
}

/// What is live now, and which of `entries` were not rejected; `find` gives an invalidation by id.
void Activator::tell(
    const std::vector<LedgerEntry>& entries,
    const std::function<const schema::Invalidation*(const std::string&)>& find) const {
  if (!on_swap_ || current_ == nullptr) return;
  Swap swap{current_, {}};
  for (const LedgerEntry& entry : entries)
    if (const auto* invalidation = find(entry.id);
        invalidation != nullptr && entry.rejected.empty())
      swap.invalidated.push_back(*invalidation);
  on_swap_(swap);
}

void Activator::retire(const cache::Swept& swept) {
  Json record;
  record["type"] = "swept";
  record["invalidations"] = Json::array();
  for (const std::string& id : swept.rules) {
    if (history_.ledger().active().count(id) == 0) continue;
    const LedgerEntry& entry = *history_.ledger().find(id);
    record["invalidations"].push_back(Json{{"id", id},
                                           {"matched", entry.count->matched.load()},
                                           {"freedBytes", entry.count->freed_bytes.load()}});
  }
  if (record["invalidations"].empty()) return;
  history_.ledger().mark_swept(swept.rules, swept.epoch);
  publish_purges();
  if (const Status recorded = append(record); !recorded)
    log("an event was not recorded: " + recorded.error().context);
}

void Activator::let_go(Timestamp before) {
  if (history_.ledger().lapses(before, now())) publish_purges();
}

/// The same configuration with the ledger's purges.
void Activator::publish_purges() {
  if (current_ != nullptr) publish_purges(history_.ledger().purge_table(now()));
}

/// The same with the purges that came last: what is in force already is not gone through again.
void Activator::publish_purges(const std::vector<LedgerEntry>& fresh) {
  if (current_ == nullptr) return;
  std::vector<std::string> ids;
  for (const LedgerEntry& entry : fresh) {
    if (!entry.undoes.empty()) return publish_purges();  // one is in force no more
    ids.push_back(entry.id);
  }
  publish_purges(history_.ledger().purge_table(*current_->purges, ids, now()));
}

void Activator::publish_purges(cache::PurgeTable purges) {
  auto next = std::make_shared<snapshot::Snapshot>(*current_);
  next->purges = std::make_shared<const cache::PurgeTable>(std::move(purges));
  current_ = std::move(next);
  publish_beside(beside_, split_);
}

/// The commit point.
Result<Activation> Activator::commit(const std::string& digest, const CommitInfo& commit,
                                     const std::vector<LedgerEntry>& entries, const Json& details) {
  std::uint64_t epoch = history_.ledger().epoch();
  Json invalidations = Json::array();
  for (const LedgerEntry& entry : entries) {
    invalidations.push_back(to_json(as_active(entry)));
    epoch = std::max(epoch, entry.epoch);
  }
  Json record;
  record["type"] = "activated";
  record["generation"] = history_.generation() + 1;
  if (const auto staged = details.find("stagedGeneration"); staged != details.end())
    record["generation"] = *staged;
  record["commit"] = commit.id;
  record["digest"] = digest;
  record["epoch"] = epoch;
  record["subject"] = commit.subject;
  record["author"] = commit.author;
  record["invalidations"] = std::move(invalidations);
  for (const auto& [key, value] : details.items()) record[key] = value;
  HG_CHECK(append(record), "recording the activation");
  return history_.activations().back();
}

void Activator::publish(const Activation& activation,
                        std::shared_ptr<const snapshot::Configuration> configuration,
                        bool purges_changed) {
  auto next = make_snapshot(activation.generation, activation.commit, std::move(configuration));
  next->purges = purges_changed || current_ == nullptr
                     ? std::make_shared<cache::PurgeTable>(history_.ledger().purge_table(now()))
                     : current_->purges;
  current_ = std::move(next);
  staged_.reset();
  compare_no_more();
}

/// Without purges; from now on it may fetch.
std::shared_ptr<snapshot::Snapshot> Activator::make_snapshot(
    std::uint64_t generation, const std::string& commit,
    std::shared_ptr<const snapshot::Configuration> configuration) {
  auto made = std::make_shared<snapshot::Snapshot>();
  made->generation = generation;
  made->commit = commit;
  made->label = snapshot::generation_label(generation, commit);
  made->lane = static_cast<std::uint8_t>(generation % observe::kLanes);
  made->configuration = std::move(configuration);
  served_.emplace_back(generation, commit);
  if (served_.size() > kMaxServed) {
    forgotten_generation_ = std::max(forgotten_generation_, served_.front().first);
    served_.erase(served_.begin());
  }
  return made;
}

Status Activator::record(const Json& event) { return append(event); }

Status Activator::append(const Json& record) {
  HG_TRY(const Json written, journal_->append(record), "appending");
  history_.apply(written);
  if (on_event_ && !history_.events().empty()) {
    const auto& [sequence, line] = history_.events().back();
    on_event_(sequence, line);
  }
  return {};
}

/// What may fail without harm: tried again with the next record.
void Activator::compact() {
  // Twice what it was after the last time: events that are kept must not make every commit rewrite
  // them.
  if (journal_->size_bytes() > std::max(options_.journal_limit_bytes, 2 * compacted_bytes_)) {
    if (const Status done = journal_->rewrite(history_.compacted()); !done)
      log("compacting the journal: " + done.error().context);
    compacted_bytes_ = journal_->size_bytes();
  }
}

void Activator::tidy() {
  compact();
  std::vector<std::string> kept;
  if (const auto& staged = history_.staged()) kept.push_back(staged->digest);
  const auto& activations = history_.activations();
  for (auto at = activations.rbegin();
       at != activations.rend() && kept.size() < options_.snapshots_kept; ++at)
    if (std::find(kept.begin(), kept.end(), at->digest) == kept.end()) kept.push_back(at->digest);
  store_.keep_only(kept);
}

void Activator::log(const std::string& line) const {
  if (options_.log) options_.log(line);
}

}  // namespace headgate::reconciler
