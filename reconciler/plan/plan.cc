// SPDX-License-Identifier: MIT
// What going from one configuration to another would do: the answer of `headgate diff`.
#include "reconciler/plan/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "schema/encode.h"

namespace headgate::reconciler {
namespace {

using Action = ResourceChange::Action;

/// Markers of secrets must compare between the two configurations, and only there.
schema::EncodeOptions options_for(schema::Defaults defaults) {
  schema::EncodeOptions options;
  options.defaults = defaults;
  return options;
}

bool uses(const schema::Distribution& distribution, const std::string& kind,
          const std::string& name) {
  const auto behavior_uses = [&](const schema::CacheBehavior& behavior) {
    return (kind == "WebACL" && behavior.web_acl == name) ||
           (kind == "CachePolicy" && behavior.cache_policy == name) ||
           (kind == "OriginRequestPolicy" && behavior.origin_request_policy == name) ||
           (kind == "ResponseHeadersPolicy" && behavior.response_headers_policy == name);
  };
  if (kind == "Distribution") return distribution.name == name;
  if (kind == "Certificate") return distribution.viewer_certificate.certificate_ref == name;
  if (kind == "WebACL" && distribution.web_acl == name) return true;
  return behavior_uses(distribution.default_cache_behavior) ||
         std::any_of(distribution.cache_behaviors.begin(), distribution.cache_behaviors.end(),
                     behavior_uses);
}

std::vector<std::string> users(const schema::Model& before, const schema::Model& after,
                               const std::string& kind, const std::string& name) {
  std::set<std::string> names;
  for (const schema::Model* model : {&before, &after}) {
    for (const auto& [distribution_name, distribution] : model->distributions)
      if (uses(*distribution, kind, name)) names.insert(distribution_name);
    for (const auto& expect : model->expects)
      if (kind == "Expect" && expect->name == name) names.insert(expect->distribution);
    const auto list = model->warm_lists.find(name);
    if (kind == "WarmList" && list != model->warm_lists.end())
      names.insert(list->second->distribution);
  }
  return {names.begin(), names.end()};
}

/// Kind → name → resource, without invalidations (facts, not state) and the policies that come with
/// headgate.
Json resources_of(const schema::Model& model, schema::Defaults defaults) {
  Json json = schema::to_json(model, options_for(defaults));
  json.erase("Invalidation");
  if (json.contains("Fleet")) json["Fleet"] = Json{{"fleet", json["Fleet"]}};
  if (json.contains("Signers")) json["Signers"] = Json{{"signers", json["Signers"]}};
  Json result = Json::object();
  for (const auto& [kind, resources] : json.items())
    for (const auto& [name, resource] : resources.items())
      if (!name.starts_with("Managed-") && !name.starts_with("Headgate-"))
        result[kind][name] = resource;
  return result;
}

const Json* find(const Json& json, const std::string& kind, const std::string& name) {
  const auto resources = json.find(kind);
  if (resources == json.end()) return nullptr;
  const auto resource = resources->find(name);
  return resource == resources->end() ? nullptr : &*resource;
}

/// What a distribution alone uses stands with it; the rest comes after all of them.
std::string group_of(const ResourceChange& change) {
  return change.used_by.size() == 1 ? change.used_by.front() : std::string();
}

void sort(std::vector<ResourceChange>& changes) {
  const auto key = [](const ResourceChange& change) {
    const std::string group = group_of(change);
    return std::tuple(group.empty(), group, change.kind != "Distribution", change.kind,
                      change.name);
  };
  std::sort(changes.begin(), changes.end(),
            [&](const ResourceChange& a, const ResourceChange& b) { return key(a) < key(b); });
}

std::string mode_of(const schema::Invalidation& invalidation) {
  return invalidation.mode == schema::Invalidation::Mode::Delete ? "delete" : "revalidate";
}

/// Its paths, and the rest as `tag x`, `behavior /api/*`, ….
std::vector<std::string> selection_of(const schema::Invalidation& invalidation) {
  const schema::InvalidationSelect& select = invalidation.select;
  std::vector<std::string> parts = select.paths;
  const auto add = [&parts](const char* name, const std::string& value) {
    if (!value.empty()) parts.push_back(fmt::format("{} {}", name, value));
  };
  for (const std::string& tag : select.tags) add("tag", tag);
  for (const std::string& host : select.hosts) add("host", host);
  for (const std::string& type : select.content_types) add("content type", type);
  for (const int code : select.status_codes) add("status", fmt::format("{}", code));
  if (select.stored_before) add("stored before", format_timestamp(*select.stored_before));
  add("fetched under", select.fetched_under);
  add("behavior", select.behavior);
  add("undoes", invalidation.undoes);
  return parts;
}

void plan_purges(Plan& plan, const schema::Model& before, const schema::Model& after) {
  for (const auto& [id, invalidation] : after.invalidations) {
    const auto known = before.invalidations.find(id);
    if (known == before.invalidations.end())
      plan.purges.push_back({id, invalidation->distribution, selection_of(*invalidation),
                             mode_of(*invalidation), invalidation, std::nullopt});
    else if (known->second->digest() != invalidation->digest())
      plan.mismatched.push_back(id);
  }
  for (const auto& [id, invalidation] : before.invalidations)
    if (after.invalidations.count(id) == 0) plan.forgotten.push_back(id);
}

/// Who answers for each name.
std::map<std::string, std::string> hosts_of(const schema::Model& model) {
  std::map<std::string, std::string> hosts;
  for (const auto& [name, distribution] : model.distributions)
    if (distribution->enabled)
      for (const std::string& alias : distribution->aliases) hosts[alias] = name;
  return hosts;
}

std::vector<HostChange> compare_hosts(const schema::Model& before, const schema::Model& after) {
  const auto old_hosts = hosts_of(before);
  const auto new_hosts = hosts_of(after);
  std::vector<HostChange> changes;
  for (const auto& [host, distribution] : old_hosts) {
    const auto now = new_hosts.find(host);
    if (now == new_hosts.end() || now->second != distribution)
      changes.push_back({host, distribution, now == new_hosts.end() ? "" : now->second});
  }
  for (const auto& [host, distribution] : new_hosts)
    if (old_hosts.count(host) == 0) changes.push_back({host, "", distribution});
  std::sort(changes.begin(), changes.end(),
            [](const HostChange& a, const HostChange& b) { return a.host < b.host; });
  return changes;
}

Json names(const std::vector<std::string>& list) { return Json(list); }

Json to_json(const Purge& purge) {
  Json json{{"id", purge.id},
            {"distribution", purge.distribution},
            {"paths", names(purge.paths)},
            {"mode", purge.mode}};
  if (purge.touches) {
    json["responses"] = purge.touches->responses;
    json["bytes"] = purge.touches->bytes;
  }
  return json;
}

Json to_json(const HostChange& change) {
  Json json{{"host", change.host}, {"before", nullptr}, {"after", nullptr}};
  if (!change.before.empty()) json["before"] = change.before;
  if (!change.after.empty()) json["after"] = change.after;
  return json;
}

Json to_json(const FieldChange& change) {
  Json json;
  json["path"] = change.path;
  switch (change.kind) {
    case FieldChange::Kind::Added:
      json["change"] = "added";
      break;
    case FieldChange::Kind::Removed:
      json["change"] = "removed";
      break;
    case FieldChange::Kind::Reordered:
      json["change"] = "reordered";
      break;
    case FieldChange::Kind::Changed:
      json["change"] = "changed";
      break;
  }
  if (change.secret) {
    json["secret"] = true;
    return json;
  }
  if (!change.before.is_null()) json["before"] = change.before;
  if (!change.after.is_null()) json["after"] = change.after;
  return json;
}

Json to_json(const ResourceChange& change) {
  Json json;
  json["action"] = change.action == Action::Add      ? "add"
                   : change.action == Action::Remove ? "remove"
                                                     : "change";
  json["kind"] = change.kind;
  json["name"] = change.name;
  json["usedBy"] = names(change.used_by);
  if (change.action == Action::Change) {
    json["fields"] = Json::array();
    for (const FieldChange& field : change.fields) json["fields"].push_back(to_json(field));
  } else {
    json["resource"] = change.resource;
  }
  return json;
}

}  // namespace

std::size_t Plan::count(ResourceChange::Action action) const {
  return static_cast<std::size_t>(
      std::count_if(resources.begin(), resources.end(),
                    [&](const ResourceChange& change) { return change.action == action; }));
}

Plan make_plan(const schema::Model& before, const schema::Model& after) {
  const Json old_full = resources_of(before, schema::Defaults::Included);
  const Json new_full = resources_of(after, schema::Defaults::Included);
  const Json old_short = resources_of(before, schema::Defaults::LeftOut);
  const Json new_short = resources_of(after, schema::Defaults::LeftOut);
  Plan plan;
  for (const auto& [kind, resources] : old_full.items())
    for (const auto& [name, resource] : resources.items()) {
      const Json* now = find(new_full, kind, name);
      ResourceChange change{Action::Remove, kind, name, users(before, after, kind, name), {}, {}};
      if (now == nullptr) {
        change.resource = *find(old_short, kind, name);
      } else {
        change.action = Action::Change;
        change.fields = compare(resource, *now);
        if (change.fields.empty()) continue;
      }
      plan.resources.push_back(std::move(change));
    }
  for (const auto& [kind, resources] : new_short.items())
    for (const auto& [name, resource] : resources.items())
      if (find(old_full, kind, name) == nullptr)
        plan.resources.push_back(
            {Action::Add, kind, name, users(before, after, kind, name), {}, resource});
  sort(plan.resources);
  plan.hosts = compare_hosts(before, after);
  plan_purges(plan, before, after);
  return plan;
}

std::vector<schema::Diagnostic> new_warnings(const std::vector<schema::Diagnostic>& before,
                                             const std::vector<schema::Diagnostic>& after) {
  const auto key = [](const schema::Diagnostic& each) {
    return std::tuple(each.file, each.code, each.message);
  };
  std::set<std::tuple<std::string, int, std::string>> known;
  for (const schema::Diagnostic& each : before) known.insert(key(each));
  std::vector<schema::Diagnostic> warnings;
  for (const schema::Diagnostic& each : after)
    if (each.severity == schema::Diagnostic::Severity::Warning && known.count(key(each)) == 0)
      warnings.push_back(each);
  return warnings;
}

std::optional<cache::Selected> Plan::touches() const {
  std::optional<cache::Selected> all;
  for (const Purge& purge : purges) {
    if (!purge.touches) continue;
    if (!all) all.emplace();
    all->responses += purge.touches->responses;
    all->bytes += purge.touches->bytes;
  }
  return all;
}

Json to_json(const Plan& plan) {
  Json json;
  json["summary"] = Json{{"add", plan.count(Action::Add)},
                         {"change", plan.count(Action::Change)},
                         {"remove", plan.count(Action::Remove)},
                         {"invalidations", plan.purges.size()}};
  if (const auto touches = plan.touches()) {
    json["summary"]["responses"] = touches->responses;
    json["summary"]["bytes"] = touches->bytes;
  }
  json["hosts"] = Json::array();
  for (const HostChange& change : plan.hosts) json["hosts"].push_back(to_json(change));
  json["distributions"] = Json::object();
  json["shared"] = Json::array();
  for (const ResourceChange& change : plan.resources) {
    const std::string group = group_of(change);
    Json& list = group.empty() ? json["shared"] : json["distributions"][group];
    list.push_back(to_json(change));
  }
  json["invalidations"] = Json::array();
  for (const Purge& purge : plan.purges) json["invalidations"].push_back(to_json(purge));
  json["warnings"] = Json::array();
  for (const schema::Diagnostic& warning : plan.warnings)
    json["warnings"].push_back(warning.text());
  json["forgottenInvalidations"] = names(plan.forgotten);
  json["mismatchedInvalidations"] = names(plan.mismatched);
  return json;
}

}  // namespace headgate::reconciler
