// SPDX-License-Identifier: MIT
// What the journal's records add up to: the ledger of invalidations, the generations, the events.
//
//   record       changes
//   activated    generation, ledger (newly seen ids), epoch, activations: configuration and purges
//   in one checkpoint   all of these at once; records up to its "through" that follow it are events
//   only others       nothing: refused, sourceFailed, sourceRecovered, started, stopped are events
#include "reconciler/state/history.h"

#include <algorithm>

#include "schema/codes.h"

namespace headgate::reconciler {
namespace {

std::string text(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

const Json& list(const Json& json, const char* name) {
  static const Json kEmpty = Json::array();
  const auto found = json.find(name);
  return found != json.end() && found->is_array() ? *found : kEmpty;
}

Activation activation_of(const Json& json) {
  Activation activation;
  activation.generation = number(json, "generation");
  activation.commit = text(json, "commit");
  activation.digest = text(json, "digest");
  activation.time = text(json, "time");
  activation.subject = text(json, "subject");
  activation.invalidations = list(json, "invalidations").size();
  if (const std::uint64_t count = number(json, "invalidationCount"); count > 0)
    activation.invalidations = count;
  return activation;
}

}  // namespace

Json to_json(const LedgerEntry& entry) {
  Json json;
  json["id"] = entry.id;
  json["digest"] = entry.digest;
  json["epoch"] = entry.epoch;
  json["distribution"] = entry.distribution;
  json["paths"] = entry.paths;
  json["mode"] = entry.mode == schema::Invalidation::Mode::Delete ? "delete" : "revalidate";
  if (!entry.activated_at.empty()) json["activatedAt"] = entry.activated_at;
  if (!entry.commit.empty()) json["commit"] = entry.commit;
  return json;
}

LedgerEntry ledger_entry_of(const Json& json) {
  LedgerEntry entry;
  entry.id = text(json, "id");
  entry.digest = text(json, "digest");
  entry.epoch = number(json, "epoch");
  entry.distribution = text(json, "distribution");
  for (const Json& path : list(json, "paths"))
    if (path.is_string()) entry.paths.push_back(path.get<std::string>());
  if (text(json, "mode") == "delete") entry.mode = schema::Invalidation::Mode::Delete;
  entry.activated_at = text(json, "activatedAt");
  entry.commit = text(json, "commit");
  return entry;
}

Json to_json(const Activation& activation) {
  Json json;
  json["generation"] = activation.generation;
  json["commit"] = activation.commit;
  json["digest"] = activation.digest;
  json["time"] = activation.time;
  json["subject"] = activation.subject;
  json["invalidationCount"] = activation.invalidations;
  return json;
}

const LedgerEntry* Ledger::find(const std::string& id) const {
  const auto found = entries_.find(id);
  return found != entries_.end() ? &found->second : nullptr;
}

void Ledger::add(LedgerEntry entry) {
  set_epoch(entry.epoch);
  const std::string id = entry.id;
  entries_.emplace(id, std::move(entry));
}

void Ledger::mark_active(const std::string& id) {
  const auto found = entries_.find(id);
  if (found != entries_.end()) found->second.active = true;
}

void Ledger::set_epoch(std::uint64_t epoch) { epoch_ = std::max(epoch_, epoch); }

std::vector<schema::Diagnostic> Ledger::check(const schema::Model& model) const {
  std::vector<schema::Diagnostic> diagnostics;
  for (const auto& [id, invalidation] : model.invalidations) {
    const LedgerEntry* known = find(id);
    const std::string digest = invalidation->digest();
    if (known == nullptr || known->digest == digest) continue;
    diagnostics.push_back(
        {invalidation->file, invalidation->line, 1, schema::Diagnostic::Severity::Error,
         static_cast<int>(schema::Code::InvalidationDigestMismatch),
         fmt::format("InvalidationDigestMismatch: {} ran before with other content "
                     "(then {}, now {})",
                     id, known->digest, digest),
         "give it a new name, or a new spec.nonce, to run it again"});
  }
  return diagnostics;
}

std::vector<LedgerEntry> Ledger::unseen(const schema::Model& model, std::uint64_t epoch) const {
  std::vector<LedgerEntry> entries;
  for (const auto& [id, invalidation] : model.invalidations) {
    if (find(id) != nullptr) continue;
    LedgerEntry entry;
    entry.id = id;
    entry.digest = invalidation->digest();
    entry.epoch = epoch;
    entry.distribution = invalidation->distribution;
    entry.paths = invalidation->paths;
    entry.mode = invalidation->mode;
    entries.push_back(std::move(entry));
  }
  return entries;
}

cache::PurgeTable Ledger::purge_table() const {
  cache::PurgeTable table;
  for (const auto& [id, entry] : entries_) {
    if (!entry.active) continue;
    const bool hard = entry.mode == schema::Invalidation::Mode::Delete;
    table.add(entry.distribution, entry.paths,
              hard ? cache::PurgeMode::Delete : cache::PurgeMode::Revalidate, entry.epoch);
  }
  table.set_epoch(epoch_);
  return table;
}

void History::apply(const Json& record) {
  const std::uint64_t sequence = number(record, "sequence");
  const std::string type = text(record, "type");
  last_sequence_ = std::max(last_sequence_, sequence);
  last_time_ = text(record, "time");
  if (type == "checkpoint") return apply_checkpoint(record);
  if (type == "activated" && sequence > folded_through_) apply_activated(record);
  events_.emplace_back(sequence, record.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (events_.size() > kMaxEvents) events_.pop_front();
}

void History::apply_activated(const Json& record) {
  Activation activation = activation_of(record);
  generation_ = std::max(generation_, activation.generation);
  ledger_.set_epoch(number(record, "epoch"));
  for (const Json& json : list(record, "invalidations")) {
    LedgerEntry entry = ledger_entry_of(json);
    entry.activated_at = activation.time;
    entry.commit = activation.commit;
    ledger_.add(std::move(entry));
  }
  activations_.push_back(std::move(activation));
  if (activations_.size() > kMaxActivations) activations_.pop_front();
}

void History::apply_checkpoint(const Json& record) {
  generation_ = number(record, "generation");
  folded_through_ = number(record, "through");
  ledger_ = Ledger();
  ledger_.set_epoch(number(record, "epoch"));
  for (const Json& json : list(record, "ledger")) ledger_.add(ledger_entry_of(json));
  activations_.clear();
  for (const Json& json : list(record, "activations")) activations_.push_back(activation_of(json));
}

std::vector<Json> History::compacted() const {
  Json checkpoint;
  checkpoint["sequence"] = last_sequence_;
  checkpoint["time"] = last_time_;
  checkpoint["type"] = "checkpoint";
  checkpoint["through"] = last_sequence_;
  checkpoint["generation"] = generation_;
  checkpoint["epoch"] = ledger_.epoch();
  checkpoint["activations"] = Json::array();
  for (const Activation& activation : activations_)
    checkpoint["activations"].push_back(to_json(activation));
  checkpoint["ledger"] = Json::array();
  for (const auto& [id, entry] : ledger_.entries()) checkpoint["ledger"].push_back(to_json(entry));
  std::vector<Json> records = {std::move(checkpoint)};
  for (const auto& [sequence, line] : events_) records.push_back(Json::parse(line, nullptr, false));
  return records;
}

}  // namespace headgate::reconciler
