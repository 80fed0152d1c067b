// SPDX-License-Identifier: MIT
// What the journal's records add up to: the ledger of invalidations, the generations, the events.
//
//   record       changes
//   activated    generation, ledger (newly seen ids), epoch, activations: configuration and purges;
//                nothing is staged any more, and what is watched is this one, or nothing
//   staged, widened      generation; what goes live by steps, and its step
//   suspected, cleared, confirmed   the guard window
//   ledger       what a checkpoint before it could not hold of the ledger
//   in one checkpoint   all of these at once; records up to its "through" that follow it are events
//   invalidated  ledger (urgent and scheduled ones), epoch, schedules
//   swept        invalidations that are over, and their counts
//   suspended, resumed   what an operator put above the repository
//   only others       nothing: refused, sourceFailed, sourceRecovered, started, stopped are events
#include "reconciler/state/history.h"

#include <algorithm>

namespace headgate::reconciler {
namespace {

/// Of the ledger in one record: a record has a limit, the ledger has none.
constexpr std::size_t kEntriesPerRecord = 1000;
/// Of an invalidation's paths (tags, …) in an event that is shown; the journal has them all.
constexpr std::size_t kPathsPerEvent = 100;

/// Who went back.
constexpr const char* kGuard = "guard";
constexpr const char* kOperator = "operator";

/// The record as an event: lists that are too long for one are cut.
Json shown(const Json& record) {
  if (list_of(record, "invalidations").empty()) return record;
  Json event = record;
  for (Json& invalidation : event["invalidations"])
    for (const char* name : {"paths", "tags"}) {
      const std::size_t count = list_of(invalidation, name).size();
      if (count <= kPathsPerEvent) continue;
      Json& list = invalidation[name];
      list.erase(list.begin() + kPathsPerEvent, list.end());
      list.push_back(fmt::format("… and {} more", count - kPathsPerEvent));
    }
  return event;
}

Activation activation_of(const Json& json) {
  Activation activation;
  activation.generation = number_of(json, "generation");
  activation.commit = text_of(json, "commit");
  activation.digest = text_of(json, "digest");
  activation.time = text_of(json, "time");
  activation.subject = text_of(json, "subject");
  activation.author = text_of(json, "author");
  activation.invalidations = list_of(json, "invalidations").size();
  for (const Json& signer : list_of(json, "signers"))
    if (signer.is_string()) activation.signers.push_back(signer.get<std::string>());
  activation.trusted_commit = text_of(json, "trustedCommit");
  const auto verified = json.find("verified");
  activation.verified = verified != json.end() && verified->is_boolean() && verified->get<bool>();
  if (const std::uint64_t count = number_of(json, "invalidationCount"); count > 0)
    activation.invalidations = count;
  return activation;
}

}  // namespace

Json to_json(const Activation& activation) {
  Json json;
  json["generation"] = activation.generation;
  json["commit"] = activation.commit;
  json["digest"] = activation.digest;
  json["time"] = activation.time;
  json["subject"] = activation.subject;
  json["author"] = activation.author;
  json["invalidationCount"] = activation.invalidations;
  json["verified"] = activation.verified;
  if (activation.verified) json["signers"] = activation.signers;
  if (!activation.trusted_commit.empty()) json["trustedCommit"] = activation.trusted_commit;
  return json;
}

void History::apply(const Json& record) {
  const std::uint64_t sequence = number_of(record, "sequence");
  const std::string type = text_of(record, "type");
  last_sequence_ = std::max(last_sequence_, sequence);
  last_time_ = text_of(record, "time");
  if (type == "checkpoint") return apply_checkpoint(record);
  if (type == "ledger") return apply_ledger(record);
  if (sequence > folded_through_) {
    if (type == "activated") apply_activated(record);
    apply_rollout(type, record);
    if (type == "invalidated") apply_invalidated(record, text_of(record, "commit"));
    if (type == "swept") apply_swept(record);
    if (type == "suspended" || type == "resumed") apply_overrides(record);
  }
  events_.emplace_back(sequence,
                       shown(record).dump(-1, ' ', false, Json::error_handler_t::replace));
  if (events_.size() > kMaxEvents) events_.pop_front();
}

bool History::is_held(const std::string& commit) const {
  return std::any_of(held_.begin(), held_.end(),
                     [&](const HeldCommit& held) { return held.commit == commit; });
}

void History::apply_activated(const Json& record) {
  Activation activation = activation_of(record);
  generation_ = std::max(generation_, activation.generation);
  apply_invalidated(record, activation.commit);
  const bool resumed = number_of(record, "resumedGeneration") != 0;
  if (!resumed) released_.clear();
  const std::string from = text_of(record, "rolledBackFrom");
  if (!from.empty() && !is_held(from))
    held_.push_back({from, text_of(record, "reason"), text_of(record, "by") == kGuard});
  else if (from.empty() && !resumed)
    held_.clear();
  staged_.reset();
  watched_.reset();
  if (const std::uint64_t against = number_of(record, "watchedAgainst"); against != 0)
    watched_ = WatchedCommit{activation.generation, against, false};
  activations_.push_back(std::move(activation));
  if (activations_.size() > kMaxActivations) activations_.pop_front();
}

void History::apply_invalidated(const Json& record, const std::string& commit) {
  ledger_.set_epoch(number_of(record, "epoch"));
  for (const Json& json : list_of(record, "invalidations")) {
    LedgerEntry entry = ledger_entry_of(json);
    entry.activated_at = text_of(record, "time");
    entry.commit = commit;
    ledger_.add(std::move(entry));
  }
  apply_schedules(record);
}

/// `resumed` has neither.
void History::apply_overrides(const Json& record) {
  suspension_.reset();
  if (const auto until = parse_timestamp(text_of(record, "until")))
    suspension_ = Suspension{*until, text_of(record, "reason")};
  if (text_of(record, "type") != "resumed") return;
  held_.clear();
  released_ = text_of(record, "commit");
}

void History::apply_rollout(const std::string& type, const Json& record) {
  const std::uint64_t generation = number_of(record, "generation");
  if (type == "staged") {
    generation_ = std::max(generation_, generation);
    staged_ = activation_of(record);
    step_ = 1;
    watched_.reset();
  }
  if (type == "widened" && staged_ && staged_->generation == generation)
    step_ = std::max<std::size_t>(1, number_of(record, "step"));
  if (!watched_ || watched_->generation != generation) return;
  if (type == "suspected" || type == "cleared") watched_->suspected = type == "suspected";
  if (type == "confirmed") watched_.reset();
}

void History::apply_swept(const Json& record) {
  for (const Json& json : list_of(record, "invalidations")) {
    const std::string id = text_of(json, "id");
    ledger_.set_counts(id, number_of(json, "matched"), number_of(json, "freedBytes"));
    ledger_.mark_swept({id}, 0);
  }
}

void History::apply_schedules(const Json& record) {
  const auto schedules = record.find("schedules");
  if (schedules == record.end() || !schedules->is_object()) return;
  for (const auto& [name, until] : schedules->items())
    if (const auto moment = parse_timestamp(text_of(*schedules, name.c_str())))
      ledger_.set_schedule(name, *moment);
}

void History::apply_checkpoint(const Json& record) {
  generation_ = number_of(record, "generation");
  folded_through_ = number_of(record, "through");
  ledger_ = Ledger();
  ledger_.set_epoch(number_of(record, "epoch"));
  apply_ledger(record);
  apply_schedules(record);
  apply_overrides(record);
  released_ = text_of(record, "releasedCommit");
  held_.clear();
  for (const Json& json : list_of(record, "held"))
    held_.push_back(
        {text_of(json, "commit"), text_of(json, "reason"), text_of(json, "by") == kGuard});
  staged_.reset();
  if (const auto staged = record.find("staged"); staged != record.end()) {
    staged_ = activation_of(*staged);
    step_ = std::max<std::size_t>(1, number_of(*staged, "step"));
  }
  watched_.reset();
  if (const auto watched = record.find("watched"); watched != record.end())
    watched_ = WatchedCommit{number_of(*watched, "generation"), number_of(*watched, "against"),
                             number_of(*watched, "suspected") != 0};
  activations_.clear();
  for (const Json& json : list_of(record, "activations"))
    activations_.push_back(activation_of(json));
}

void History::apply_ledger(const Json& record) {
  for (const Json& json : list_of(record, "ledger")) ledger_.add(ledger_entry_of(json));
}

std::vector<Json> History::compacted() const {
  Json checkpoint;
  checkpoint["sequence"] = last_sequence_;
  checkpoint["time"] = last_time_;
  checkpoint["type"] = "checkpoint";
  checkpoint["through"] = last_sequence_;
  checkpoint["generation"] = generation_;
  checkpoint["epoch"] = ledger_.epoch();
  if (suspension_) {
    checkpoint["until"] = format_timestamp(suspension_->until);
    checkpoint["reason"] = suspension_->reason;
  }
  if (!released_.empty()) checkpoint["releasedCommit"] = released_;
  for (const HeldCommit& held : held_)
    checkpoint["held"].push_back(Json{{"commit", held.commit},
                                      {"reason", held.reason},
                                      {"by", held.by_guard ? kGuard : kOperator}});
  if (staged_) {
    checkpoint["staged"] = to_json(*staged_);
    checkpoint["staged"]["step"] = step_;
  }
  if (watched_)
    checkpoint["watched"] = Json{{"generation", watched_->generation},
                                 {"against", watched_->against},
                                 {"suspected", watched_->suspected ? 1 : 0}};
  checkpoint["activations"] = Json::array();
  for (const Activation& activation : activations_)
    checkpoint["activations"].push_back(to_json(activation));
  for (const auto& [name, until] : ledger_.schedules())
    checkpoint["schedules"][name] = format_timestamp(until);
  std::vector<Json> records = {std::move(checkpoint)};
  for (const auto& [id, entry] : ledger_.entries()) {
    const auto held = records.back().find("ledger");
    if (held == records.back().end() || held->size() >= kEntriesPerRecord)
      records.push_back(Json{{"sequence", last_sequence_},
                             {"time", last_time_},
                             {"type", "ledger"},
                             {"ledger", Json::array()}});
    records.back()["ledger"].push_back(to_json(entry));
  }
  for (const auto& [sequence, line] : events_) records.push_back(Json::parse(line, nullptr, false));
  return records;
}

}  // namespace headgate::reconciler
