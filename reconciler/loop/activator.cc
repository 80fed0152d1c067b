// SPDX-License-Identifier: MIT
// The one place where a configuration goes live: snapshot file, journal record, pointer swap, in
// this order.
#include "reconciler/loop/activator.h"

#include <algorithm>
#include <set>

namespace headgate::reconciler {

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
  return activator;
}

Activator::Activator(ActivatorOptions options, StateFolder folder, snapshot::SnapshotHolder& holder,
                     Disk& disk)
    : options_(std::move(options)),
      folder_(std::move(folder)),
      holder_(holder),
      store_(folder_.snapshots(), disk) {}

void Activator::on_event(std::function<void(std::uint64_t, const std::string&)> callback) {
  on_event_ = std::move(callback);
  for (const auto& [sequence, line] : history_.events()) on_event_(sequence, line);
}

bool Activator::resume(schema::Loader& loader, const snapshot::CompileOptions& options) {
  const std::deque<Activation> activations = history_.activations();  // `commit` appends to it
  std::set<std::string> tried;
  for (auto at = activations.rbegin(); at != activations.rend(); ++at) {
    if (!tried.insert(at->digest).second) continue;
    auto prepared = load(at->digest, loader, options);
    if (!prepared) {
      log(fmt::format("generation {} cannot be resumed: {}", at->generation,
                      prepared.error().context));
      continue;
    }
    if (at == activations.rbegin()) {
      publish(*at, prepared->configuration, true);
      return true;
    }
    CommitInfo commit{at->commit, at->subject, "", ""};
    const auto activated =
        this->commit(at->digest, commit, {}, Json{{"resumedGeneration", at->generation}});
    if (!activated) {
      log(fmt::format("generation {} cannot be resumed: {}", at->generation,
                      activated.error().context));
      return false;
    }
    publish(*activated, prepared->configuration, true);
    return true;
  }
  return false;
}

Result<Prepared> Activator::load(const std::string& digest, schema::Loader& loader,
                                 const snapshot::CompileOptions& options) const {
  HG_TRY(const std::unique_ptr<StoredTree> tree, store_.read(digest), "resuming");
  // No ledger (all of it is known already) and no expectations (they held when it went live).
  auto staged = validate(loader, *tree, nullptr);
  if (staged) staged = compile(std::move(*staged), options, nullptr);
  if (staged) return std::move(*staged);
  const auto& diagnostics = staged.error().diagnostics;
  return fail(Blame::Config, "{}",
              diagnostics.empty() ? "it is not valid any more" : diagnostics.front().text());
}

Result<Activation> Activator::activate(const Prepared& prepared, const schema::Tree& tree,
                                       const CommitInfo& commit, bool history_rewritten) {
  HG_TRY(const std::string packed, pack_tree(tree, prepared.files), "packing the configuration");
  const std::string digest = digest_of(packed);
  HG_CHECK(store_.write(digest, packed), "keeping the configuration");

  // While nothing has been live there is nothing in the cache that could be older: late joiners
  // purge nothing (config.md, 3.5).
  const bool cache_is_empty = current_ == nullptr;
  const std::uint64_t epoch = history_.ledger().epoch() + (cache_is_empty ? 0 : 1);
  const std::vector<LedgerEntry> entries = history_.ledger().unseen(*prepared.model, epoch);
  Json details = Json::object();
  if (history_rewritten) details["historyRewritten"] = true;
  HG_TRY(const Activation activation, this->commit(digest, commit, entries, details), "activating");

  if (!cache_is_empty)
    for (const LedgerEntry& entry : entries) history_.ledger().mark_active(entry.id);
  publish(activation, prepared.configuration, cache_is_empty || !entries.empty());
  tidy();
  return activation;
}

/// The commit point.
Result<Activation> Activator::commit(const std::string& digest, const CommitInfo& commit,
                                     const std::vector<LedgerEntry>& entries, const Json& details) {
  std::uint64_t epoch = history_.ledger().epoch();
  Json invalidations = Json::array();
  for (const LedgerEntry& entry : entries) {
    invalidations.push_back(to_json(entry));
    epoch = std::max(epoch, entry.epoch);
  }
  Json record;
  record["type"] = "activated";
  record["generation"] = history_.generation() + 1;
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
  auto next = std::make_shared<snapshot::Snapshot>();
  next->generation = activation.generation;
  next->commit = activation.commit;
  next->label = snapshot::generation_label(activation.generation, activation.commit);
  next->configuration = std::move(configuration);
  next->purges = purges_changed || current_ == nullptr
                     ? std::make_shared<cache::PurgeTable>(history_.ledger().purge_table())
                     : current_->purges;
  current_ = next;
  holder_.publish(std::move(next));
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

/// What may fail without harm: tried again with the next commit.
void Activator::tidy() {
  // Twice what it was after the last time: events that are kept must not make every commit rewrite
  // them.
  if (journal_->size_bytes() > std::max(options_.journal_limit_bytes, 2 * compacted_bytes_)) {
    if (const Status done = journal_->rewrite(history_.compacted()); !done)
      log("compacting the journal: " + done.error().context);
    compacted_bytes_ = journal_->size_bytes();
  }
  std::vector<std::string> kept;
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
