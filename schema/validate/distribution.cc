// SPDX-License-Identifier: MIT
// Checks within one distribution: ids, targets, order of behaviors, geo, error pages.
#include "schema/validate/distribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "schema/model/streaming.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

// Above this a file of behaviors would make the quadratic search for shadowed ones felt.
constexpr std::size_t kShadowLimit = 250;

std::string item(std::string_view list, std::size_t index, std::string_view field = {}) {
  return fmt::format("{}.{}{}{}", list, index, field.empty() ? "" : ".", field);
}

/// Origins and groups share one space of ids.
std::map<std::string, Mark> check_ids(const Distribution& distribution, const Node& spec,
                                      Decoder& decoder) {
  std::map<std::string, Mark> ids;
  auto add = [&](const std::string& id, const Node& node) {
    if (id.empty()) return;
    auto [known, fresh] = ids.emplace(id, node.mark);
    if (!fresh)
      decoder.error(
          Code::DuplicateOriginId, node.mark, fmt::format("the id {} is taken", in_quotes(id)),
          fmt::format("origins and origin groups share their ids; the first one is in line {}",
                      known->second.line));
  };
  for (std::size_t i = 0; i < distribution.origins.size(); ++i)
    add(distribution.origins[i].id, spec.locate(item("origins", i, "id")));
  for (std::size_t i = 0; i < distribution.origin_groups.size(); ++i)
    add(distribution.origin_groups[i].id, spec.locate(item("originGroups", i, "id")));
  return ids;
}

bool check_members(const Distribution& distribution, const Node& spec, std::set<std::string>& used,
                   Decoder& decoder) {
  bool good = true;
  std::vector<std::string> origins;
  for (const Origin& origin : distribution.origins) origins.push_back(origin.id);
  for (std::size_t i = 0; i < distribution.origin_groups.size(); ++i) {
    const std::vector<std::string>& members = distribution.origin_groups[i].members;
    for (std::size_t j = 0; j < members.size(); ++j) {
      if (members[j].empty()) continue;
      used.insert(members[j]);
      if (std::find(origins.begin(), origins.end(), members[j]) != origins.end()) continue;
      good = false;
      decoder.error(Code::MemberUnknown,
                    spec.locate(item("originGroups", i, item("members", j))).mark,
                    fmt::format("there is no origin {}", in_quotes(members[j])),
                    did_you_mean(members[j], origins, fmt::format("origins: {}", join(origins))));
    }
  }
  return good;
}

bool check_target(const CacheBehavior& behavior, const Node& node,
                  const std::map<std::string, Mark>& ids, std::set<std::string>& used,
                  Decoder& decoder) {
  const std::string& target = behavior.target_origin_id;
  if (target.empty()) return false;
  used.insert(target);
  if (ids.contains(target)) return true;
  std::vector<std::string> known;
  for (const auto& [id, mark] : ids) known.push_back(id);
  decoder.error(Code::OriginUnknown, node.locate("targetOriginId").mark,
                fmt::format("there is no origin or origin group {}", in_quotes(target)),
                did_you_mean(target, known, fmt::format("ids: {}", join(known))));
  return false;
}

void check_unused(const Distribution& distribution, const Node& spec,
                  const std::set<std::string>& used, Decoder& decoder) {
  for (std::size_t i = 0; i < distribution.origins.size(); ++i) {
    const std::string& id = distribution.origins[i].id;
    if (id.empty() || used.contains(id)) continue;
    decoder.warning(Code::OriginUnused, spec.locate(item("origins", i, "id")).mark,
                    fmt::format("no behavior or origin group uses the origin {}", in_quotes(id)));
  }
  for (std::size_t i = 0; i < distribution.origin_groups.size(); ++i) {
    const std::string& id = distribution.origin_groups[i].id;
    if (id.empty() || used.contains(id)) continue;
    decoder.warning(Code::OriginUnused, spec.locate(item("originGroups", i, "id")).mark,
                    fmt::format("no behavior uses the origin group {}", in_quotes(id)));
  }
}

void check_shadows(const Distribution& distribution, const Node& spec, Decoder& decoder) {
  const std::vector<CacheBehavior>& behaviors = distribution.cache_behaviors;
  std::size_t count = std::min(behaviors.size(), kShadowLimit);
  for (std::size_t later = 1; later < count; ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (behaviors[later].path_pattern.empty() || behaviors[earlier].path_pattern.empty())
        continue;
      if (!covers(behaviors[earlier].path_pattern, behaviors[later].path_pattern)) continue;
      const Node& first = spec.locate(item("cacheBehaviors", earlier, "pathPattern"));
      decoder.warning(Code::Unreachable,
                      spec.locate(item("cacheBehaviors", later, "pathPattern")).mark,
                      fmt::format("the behavior {} can never match: {} in line {} comes first",
                                  in_quotes(behaviors[later].path_pattern),
                                  in_quotes(behaviors[earlier].path_pattern), first.mark.line),
                      "the first behavior that matches counts: move it up or remove it");
      break;
    }
  }
}

void check_quota(const Node& spec, std::string_view field, std::size_t count, std::size_t quota,
                 Decoder& decoder) {
  if (count <= quota) return;
  decoder.warning(Code::CloudFrontLimit, spec.locate(field).mark,
                  fmt::format("{} {}: CloudFront's quota is {}", count, field, quota));
}

}  // namespace

bool covers(std::string_view earlier, std::string_view later) {
  for (std::string_view* pattern : {&earlier, &later})
    if (pattern->starts_with('/')) pattern->remove_prefix(1);
  // Matching `earlier` against the text of `later`: a wildcard of `later` is a symbol that only `*`
  // (or ? for ?) matches.
  std::size_t e = 0, l = 0, star = std::string_view::npos, resume = 0;
  while (l < later.size()) {
    bool one = e < earlier.size() && earlier[e] != '*' &&
               (earlier[e] == later[l] || (earlier[e] == '?' && later[l] != '*'));
    if (one) {
      ++e;
      ++l;
    } else if (e < earlier.size() && earlier[e] == '*') {
      star = e++;
      resume = l;
    } else if (star != std::string_view::npos) {
      e = star + 1;
      l = ++resume;
    } else {
      return false;
    }
  }
  while (e < earlier.size() && earlier[e] == '*') ++e;
  return e == earlier.size();
}

void check_geo(GeoRestriction& geo, const Node& node, Decoder& decoder) {
  const Node& locations = node.locate("locations");
  bool listed = geo.type != GeoRestriction::Type::None;
  bool written = locations.is_sequence() && !locations.children.empty();
  if (listed && !written && node.is_map())
    decoder.error(Code::Combination, locations.mark, "a whitelist or blacklist needs `locations`",
                  "write locations: [\"DE\", \"FR\"], or type: none");
  if (!listed && written && node.find("type") != nullptr)
    decoder.error(Code::Combination, locations.mark,
                  "`locations` has no meaning with `type: none`");
  if (!written) return;
  for (const Node& location : locations.children) {
    std::string code = to_upper(location.text);
    if (code.size() != 2 || is_country(code)) continue;
    decoder.warning(Code::CountryUnknown, location.mark,
                    fmt::format("{} is no ISO 3166-1 country code", in_quotes(code)),
                    code == "UK" ? "the United Kingdom is GB" : "no address will be found there");
  }
}

/// A profile brings policies of its own, and says itself what each of its behaviors is for.
void check_profile(const CacheBehavior& behavior, const Node& node, Decoder& decoder) {
  const Node* profile = node.find("profile");
  if (profile == nullptr || !behavior.profile) return;
  const std::string name = escape_control(profile->text);
  if (const Node* policy = node.find("cachePolicy"); policy != nullptr)
    decoder.error(Code::Combination, policy->key_mark,
                  "`cachePolicy` and `profile` exclude each other",
                  "remove one of them: the profile brings cache policies of its own");
  if (behavior.compress)
    decoder.error(Code::Combination, node.locate("compress").mark,
                  fmt::format("`profile: {}` does not compress", name),
                  "segments are compressed media, and playlists change too often");
  const std::string& pattern = behavior.path_pattern;
  if (pattern.empty() || pattern.ends_with('*') ||
      pattern.ends_with(manifest_ending(*behavior.profile)))
    return;
  decoder.error(Code::Combination, node.locate("pathPattern").mark,
                fmt::format("{} leaves no room for segments and playlists", in_quotes(pattern)),
                fmt::format("with `profile: {}` a pattern ends with *, as in /live/*, or with {}",
                            name, manifest_ending(*behavior.profile)));
}

void check_behavior(CacheBehavior& behavior, const Node& node, Decoder& decoder) {
  check_profile(behavior, node, decoder);
  const std::vector<std::string>& allowed = behavior.allowed_methods;
  auto has = [&](std::string_view method) {
    return std::find(allowed.begin(), allowed.end(), method) != allowed.end();
  };
  if (has("ALL") && allowed.size() > 1)
    decoder.error(Code::Combination, node.locate("allowedMethods").mark,
                  "`ALL` stands alone: it passes any method");
  if (node.find("cachedMethods") == nullptr || has("ALL")) return;
  for (const std::string& method : behavior.cached_methods)
    if (!has(method))
      decoder.error(Code::Combination, node.locate("cachedMethods").mark,
                    fmt::format("{} is cached but not in `allowedMethods`", method));
}

void check_error_response(CustomErrorResponse& response, const Node& node, Decoder& decoder) {
  bool page = node.find("responsePagePath") != nullptr;
  bool body = node.find("inlineBody") != nullptr;
  if (page && body)
    decoder.error(Code::Combination, node.locate("inlineBody").key_mark,
                  "`responsePagePath` and `inlineBody` exclude each other");
  if (node.find("responseCode") != nullptr && !page && !body)
    decoder.error(Code::Combination, node.locate("responseCode").key_mark,
                  "`responseCode` needs `responsePagePath` or `inlineBody`");
  if (!page && !body && node.find("errorCachingMinTTL") == nullptr &&
      node.find("responseCode") == nullptr && response.error_code != 0)
    decoder.error(Code::Combination, node.mark, "the entry changes nothing",
                  "give responsePagePath, inlineBody or errorCachingMinTTL");
}

void check_distribution(Distribution& distribution, const Node& spec, Decoder& decoder) {
  std::map<std::string, Mark> ids = check_ids(distribution, spec, decoder);
  std::set<std::string> used;
  bool known = check_members(distribution, spec, used, decoder);
  known = check_target(distribution.default_cache_behavior, spec.locate("defaultCacheBehavior"),
                       ids, used, decoder) &&
          known;
  for (std::size_t i = 0; i < distribution.cache_behaviors.size(); ++i)
    known = check_target(distribution.cache_behaviors[i], spec.locate(item("cacheBehaviors", i)),
                         ids, used, decoder) &&
            known;
  // After an unknown id its origin would only seem to be unused.
  if (known) check_unused(distribution, spec, used, decoder);
  check_shadows(distribution, spec, decoder);
  check_quota(spec, "origins", distribution.origins.size(), 100, decoder);
  check_quota(spec, "originGroups", distribution.origin_groups.size(), 10, decoder);
  check_quota(spec, "cacheBehaviors", distribution.cache_behaviors.size(), 75, decoder);
  check_quota(spec, "aliases", distribution.aliases.size(), 100, decoder);
  std::set<std::string> aliases;
  for (std::size_t i = 0; i < distribution.aliases.size(); ++i)
    if (!distribution.aliases[i].empty() && !aliases.insert(distribution.aliases[i]).second)
      decoder.error(Code::DuplicateItem, spec.locate(item("aliases", i)).mark,
                    fmt::format("`aliases` names {} twice", in_quotes(distribution.aliases[i])));
  std::set<int> codes;
  for (std::size_t i = 0; i < distribution.custom_error_responses.size(); ++i) {
    int code = distribution.custom_error_responses[i].error_code;
    if (code != 0 && !codes.insert(code).second)
      decoder.error(Code::DuplicateItem,
                    spec.locate(item("customErrorResponses", i, "errorCode")).mark,
                    fmt::format("`customErrorResponses` names {} twice", code));
  }
  // What is left out is what the table says; what CloudFront calls the default behavior's pattern
  // is ours to fill.
  distribution.default_cache_behavior.path_pattern = "*";
  distribution.default_cache_behavior.written_at = "defaultCacheBehavior";
  for (std::size_t i = 0; i < distribution.cache_behaviors.size(); ++i)
    distribution.cache_behaviors[i].written_at = item("cacheBehaviors", i);
  for (CustomErrorResponse& response : distribution.custom_error_responses)
    if (!response.response_code &&
        !(response.response_page_path.empty() && response.inline_body_type.empty()))
      response.response_code = response.error_code;
  expand_profiles(distribution);
}

}  // namespace headgate::schema
