// SPDX-License-Identifier: MIT
// `profile: hls` and `profile: dash`: what they make of a behavior, and the cache policies of that.
#include "schema/model/streaming.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace headgate::schema {
namespace {

using std::chrono::seconds;

constexpr const char* kSegments = "Headgate-MediaSegments";

struct Preset {
  std::string_view ending;
  const char* manifests;  ///< cache policy
};
constexpr Preset kHls{".m3u8", "Headgate-HLSPlaylists"};
constexpr Preset kDash{".mpd", "Headgate-DASHManifests"};

const Preset& preset_of(StreamingProfile profile) {
  return profile == StreamingProfile::Hls ? kHls : kDash;
}

std::shared_ptr<const CachePolicy> policy(const char* name, seconds standard, seconds max,
                                          Selector query_strings) {
  CachePolicy policy;
  policy.name = name;
  policy.min_ttl = seconds(0);
  policy.default_ttl = standard;
  policy.max_ttl = max;
  policy.parameters.query_strings = std::move(query_strings);
  return std::make_shared<const CachePolicy>(std::move(policy));
}

const std::vector<std::shared_ptr<const CachePolicy>>& policies() {
  constexpr seconds kLive{3};
  constexpr seconds kDay{86400};
  // Apple's delivery directives of low-latency HLS: each value is another playlist.
  static const std::vector<std::shared_ptr<const CachePolicy>> list = {
      policy(kHls.manifests, kLive, kLive,
             {Selection::Whitelist, {"_HLS_msn", "_HLS_part", "_HLS_skip"}}),
      policy(kDash.manifests, kLive, kLive, {}),
      policy(kSegments, kDay, 365 * kDay, {}),
  };
  return list;
}

CacheBehavior with(const CacheBehavior& behavior, std::string pattern, const char* cache_policy) {
  CacheBehavior out = behavior;
  out.path_pattern = std::move(pattern);
  out.cache_policy = cache_policy;
  out.compress = false;
  out.profile.reset();
  return out;
}

bool has_pattern(const std::vector<CacheBehavior>& behaviors, const std::string& pattern) {
  return std::any_of(behaviors.begin(), behaviors.end(), [&](const CacheBehavior& behavior) {
    return behavior.path_pattern == pattern;
  });
}

}  // namespace

std::string_view manifest_ending(StreamingProfile profile) { return preset_of(profile).ending; }

void expand_profiles(Distribution& distribution) {
  std::vector<CacheBehavior> out;
  const auto add_manifests = [&out](const CacheBehavior& behavior, const std::string& pattern) {
    if (!has_pattern(out, pattern))
      out.push_back(with(behavior, pattern, preset_of(*behavior.profile).manifests));
  };
  for (CacheBehavior& behavior : distribution.cache_behaviors) {
    const std::string pattern = behavior.path_pattern;
    if (!behavior.profile) {
      out.push_back(std::move(behavior));
    } else if (const auto ending = preset_of(*behavior.profile).ending; pattern.ends_with(ending)) {
      add_manifests(behavior, pattern);
    } else {
      add_manifests(behavior, pattern + std::string(ending));
      out.push_back(with(behavior, pattern, kSegments));
    }
  }
  if (CacheBehavior& rest = distribution.default_cache_behavior; rest.profile) {
    add_manifests(rest, "*" + std::string(preset_of(*rest.profile).ending));
    rest = with(rest, rest.path_pattern, kSegments);
  }
  distribution.cache_behaviors = std::move(out);
}

std::shared_ptr<const CachePolicy> find_streaming_cache_policy(const std::string& name) {
  for (const auto& known : policies())
    if (known->name == name) return known;
  return nullptr;
}

std::string streaming_policies_markdown() {
  std::string out =
      "| cache policy | minTTL | defaultTTL | maxTTL | query strings in the key "
      "|\n|---|---|---|---|---|\n";
  for (const auto& each : policies()) {
    const auto& names = each->parameters.query_strings.items;
    std::string queries = names.empty() ? "none" : "";
    for (const std::string& name : names)
      queries += fmt::format("{}`{}`", queries.empty() ? "" : ", ", name);
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", each->name, format_duration(each->min_ttl),
                       format_duration(each->default_ttl), format_duration(each->max_ttl), queries);
  }
  return out;
}

}  // namespace headgate::schema
