// SPDX-License-Identifier: MIT
// Which invalidations were acted upon, and what came of them.
#include "reconciler/state/ledger.h"

#include <algorithm>

#include "appliance/http/path.h"
#include "schema/codes.h"

namespace headgate::reconciler {
namespace {

using Mode = schema::Invalidation::Mode;

cache::PurgeSelect purge_select(const LedgerEntry& entry) {
  const schema::InvalidationSelect& from = entry.select;
  cache::PurgeSelect select;
  // As the cache's keys have them.
  for (const std::string& path : from.paths) select.paths.push_back(http::canonical_target(path));
  select.tags = from.tags;
  select.hosts = from.hosts;
  select.content_types = from.content_types;
  select.statuses = from.status_codes;
  select.stored_before = from.stored_before;
  select.behavior = from.behavior;
  if (!from.fetched_under.empty())
    select.generations = entry.generations.value_or(cache::Generations{});
  return select;
}

void put(Json& json, const char* name, const std::vector<std::string>& values) {
  if (!values.empty()) json[name] = values;
}

void put(Json& json, const char* name, const std::string& value) {
  if (!value.empty()) json[name] = value;
}

std::vector<std::string> texts_of(const Json& json, const char* name) {
  std::vector<std::string> texts;
  for (const Json& item : list_of(json, name))
    if (item.is_string()) texts.push_back(item.get<std::string>());
  return texts;
}

}  // namespace

cache::PurgeRule purge_rule(const LedgerEntry& entry, Timestamp now) {
  cache::PurgeRule rule;
  rule.id = entry.id;
  rule.distribution = entry.distribution;
  rule.select = purge_select(entry);
  rule.mode = entry.mode == Mode::Delete ? cache::PurgeMode::Delete : cache::PurgeMode::Revalidate;
  rule.epoch = entry.epoch;
  rule.retained = entry.is_retained(now);
  rule.count = entry.count;
  return rule;
}

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

const Json& list_of(const Json& json, const char* name) {
  static const Json kEmpty = Json::array();
  const auto found = json.find(name);
  return found != json.end() && found->is_array() ? *found : kEmpty;
}

Json to_json(const LedgerEntry& entry) {
  Json json;
  json["id"] = entry.id;
  json["digest"] = entry.digest;
  json["epoch"] = entry.epoch;
  json["distribution"] = entry.distribution;
  json["paths"] = entry.select.paths;
  put(json, "tags", entry.select.tags);
  put(json, "hosts", entry.select.hosts);
  put(json, "contentTypes", entry.select.content_types);
  if (!entry.select.status_codes.empty()) json["statusCodes"] = entry.select.status_codes;
  if (entry.select.stored_before)
    json["storedBefore"] = format_timestamp(*entry.select.stored_before);
  put(json, "fetchedUnder", entry.select.fetched_under);
  put(json, "behavior", entry.select.behavior);
  json["mode"] = entry.mode == Mode::Delete ? "delete" : "revalidate";
  if (entry.retain_for > Duration::zero()) json["retainFor"] = format_duration(entry.retain_for);
  put(json, "undoes", entry.undoes);
  if (entry.undone) json["undone"] = true;
  put(json, "rejected", entry.rejected);
  put(json, "source", entry.source);
  // For who resumes with what was cached before.
  if (entry.active) json["active"] = true;
  if (entry.active && entry.generations)
    json["generations"] =
        Json{{"exact", entry.generations->exact}, {"through", entry.generations->through}};
  put(json, "activatedAt", entry.activated_at);
  put(json, "commit", entry.commit);
  if (const auto matched = entry.count->matched.load(); matched > 0) json["matched"] = matched;
  if (const auto freed = entry.count->freed_bytes.load(); freed > 0) json["freedBytes"] = freed;
  return json;
}

LedgerEntry ledger_entry_of(const Json& json) {
  LedgerEntry entry;
  entry.id = text_of(json, "id");
  entry.digest = text_of(json, "digest");
  entry.epoch = number_of(json, "epoch");
  entry.distribution = text_of(json, "distribution");
  entry.select.paths = texts_of(json, "paths");
  entry.select.tags = texts_of(json, "tags");
  entry.select.hosts = texts_of(json, "hosts");
  entry.select.content_types = texts_of(json, "contentTypes");
  for (const Json& code : list_of(json, "statusCodes"))
    if (code.is_number_integer()) entry.select.status_codes.push_back(code.get<int>());
  if (const auto before = parse_timestamp(text_of(json, "storedBefore")))
    entry.select.stored_before = *before;
  entry.select.fetched_under = text_of(json, "fetchedUnder");
  entry.select.behavior = text_of(json, "behavior");
  if (text_of(json, "mode") == "delete") entry.mode = Mode::Delete;
  if (const auto retain = parse_duration(text_of(json, "retainFor"))) entry.retain_for = *retain;
  entry.undoes = text_of(json, "undoes");
  entry.undone = json.value("undone", false);
  entry.rejected = text_of(json, "rejected");
  entry.active = json.value("active", false);
  if (const auto found = json.find("generations"); found != json.end()) {
    entry.generations.emplace();
    entry.generations->through = number_of(*found, "through");
    for (const Json& generation : list_of(*found, "exact"))
      if (generation.is_number_unsigned())
        entry.generations->exact.push_back(generation.get<std::uint64_t>());
  }
  entry.source = text_of(json, "source");
  entry.activated_at = text_of(json, "activatedAt");
  entry.commit = text_of(json, "commit");
  entry.count->matched = number_of(json, "matched");
  entry.count->freed_bytes = number_of(json, "freedBytes");
  return entry;
}

std::size_t patterns_of(const schema::InvalidationSelect& select) {
  LedgerEntry entry;
  entry.select = select;
  return cache::PurgeTable::patterns_of(purge_select(entry));
}

Timestamp LedgerEntry::retained_until() const {
  const auto since = parse_timestamp(activated_at);
  return (since ? *since : Timestamp()) + retain_for;
}

const char* LedgerEntry::state() const {
  if (!rejected.empty()) return "Rejected";
  return active ? "Active" : "Swept";
}

LedgerEntry make_entry(const schema::Invalidation& invalidation, std::uint64_t epoch,
                       std::string source) {
  LedgerEntry entry;
  entry.id = invalidation.id();
  entry.digest = invalidation.digest();
  entry.epoch = epoch;
  entry.distribution = invalidation.distribution;
  entry.select = invalidation.select;
  entry.mode = invalidation.mode;
  entry.retain_for = invalidation.retain_for;
  entry.undoes = invalidation.undoes;
  entry.source = std::move(source);
  return entry;
}

const LedgerEntry* Ledger::find(const std::string& id) const {
  const auto found = entries_.find(id);
  return found != entries_.end() ? &found->second : nullptr;
}

bool Ledger::add(LedgerEntry entry) {
  set_epoch(entry.epoch);
  if (!entry.undoes.empty() && entry.rejected.empty()) {
    const auto undone = entries_.find(entry.undoes);
    if (undone != entries_.end()) {
      undone->second.undone = true;
      deactivate(undone->second);
    }
  }
  const std::string id = entry.id;
  const auto [added, is_new] = entries_.emplace(id, std::move(entry));
  if (is_new && added->second.active) activate(added->second);
  return is_new;
}

void Ledger::activate(LedgerEntry& entry) {
  entry.active = true;
  if (active_.insert(entry.id).second) active_patterns_ += patterns_of(entry.select);
}

void Ledger::deactivate(LedgerEntry& entry) {
  entry.active = false;
  if (active_.erase(entry.id) != 0) active_patterns_ -= patterns_of(entry.select);
}

void Ledger::set_epoch(std::uint64_t epoch) { epoch_ = std::max(epoch_, epoch); }

void Ledger::mark_active(const std::string& id, std::optional<cache::Generations> generations) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.rejected.empty() || !found->second.undoes.empty())
    return;
  found->second.generations = std::move(generations);
  activate(found->second);
}

void Ledger::mark_swept(const std::vector<std::string>& ids, std::uint64_t epoch) {
  swept_epoch_ = std::max(swept_epoch_, epoch);
  for (const std::string& id : ids)
    if (active_.count(id) != 0) deactivate(entries_.at(id));
}

void Ledger::forget_active() {
  for (const std::string& id : active_) entries_.at(id).active = false;
  active_.clear();
  active_patterns_ = 0;
}

void Ledger::set_counts(const std::string& id, std::uint64_t matched, std::uint64_t freed_bytes) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.count->matched = matched;
  found->second.count->freed_bytes = freed_bytes;
}

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

std::vector<LedgerEntry> Ledger::unseen(const schema::Model& model, std::uint64_t epoch,
                                        Timestamp now) const {
  std::vector<LedgerEntry> entries;
  for (const auto& [id, invalidation] : model.invalidations) {
    if (find(id) != nullptr || invalidation->not_before.value_or(now) > now) continue;
    entries.push_back(make_entry(*invalidation, epoch, "git"));
    entries.back().rejected = objection(entries.back(), now);
  }
  return entries;
}

std::string Ledger::objection(const LedgerEntry& entry, Timestamp now) const {
  if (entry.undoes.empty()) return {};
  const LedgerEntry* target = find(entry.undoes);
  if (target == nullptr)
    return fmt::format("there is no invalidation {} that this edge has run", entry.undoes);
  if (target->distribution != entry.distribution)
    return fmt::format("{} is an invalidation of the distribution {}", entry.undoes,
                       target->distribution);
  if (!target->undoes.empty() || !target->rejected.empty())
    return fmt::format("{} has purged nothing that could be taken back", entry.undoes);
  if (!target->is_retained(now))
    return target->retain_for == Duration::zero()
               ? fmt::format("{} has no retainFor, so nothing was kept for an undo", entry.undoes)
               : fmt::format("{} could be undone until {} (retainFor {})", entry.undoes,
                             format_timestamp(target->retained_until()),
                             format_duration(target->retain_for));
  return {};
}

bool Ledger::lapses(Timestamp before, Timestamp now) const {
  return std::any_of(active_.begin(), active_.end(), [&](const std::string& id) {
    return entries_.at(id).is_retained(before) && !entries_.at(id).is_retained(now);
  });
}

cache::PurgeTable Ledger::purge_table(Timestamp now) const {
  cache::PurgeTable table;
  for (const std::string& id : active_) table.add(purge_rule(entries_.at(id), now));
  table.set_epoch(epoch_);
  table.set_swept_epoch(swept_epoch_);
  return table;
}

cache::PurgeTable Ledger::purge_table(const cache::PurgeTable& before,
                                      const std::vector<std::string>& ids, Timestamp now) const {
  cache::PurgeTable table = before;
  for (const std::string& id : ids)
    if (active_.count(id) != 0) table.add(purge_rule(entries_.at(id), now));
  table.set_epoch(epoch_);
  table.set_swept_epoch(swept_epoch_);
  return table;
}

}  // namespace headgate::reconciler
