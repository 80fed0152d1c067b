// SPDX-License-Identifier: MIT
#include "appliance/snapshot/request/cache_key.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "appliance/http/cookie.h"
#include "appliance/http/query.h"
#include "appliance/snapshot/request/device.h"
#include "appliance/snapshot/request/own_cookies.h"

namespace headgate::snapshot {
namespace {

using Text = std::pmr::string;

void append_line(Text& text, std::string_view line) {
  text += '\n';
  text += line;
}

/// "mobile-viewer" and its like.
std::string_view device_fact(const RequestFacts& facts, std::string_view name) {
  const Device device = classify_device(http::find(facts.fields, "user-agent").value_or(""));
  const auto say = [](bool is) { return is ? std::string_view("true") : "false"; };
  if (name == "android-viewer") return say(device.android);
  if (name == "ios-viewer") return say(device.ios);
  if (name == "desktop-viewer") return say(device.kind == DeviceClass::Desktop);
  if (name == "mobile-viewer") return say(device.kind == DeviceClass::Mobile);
  if (name == "tablet-viewer") return say(device.kind == DeviceClass::Tablet);
  if (name == "smarttv-viewer") return say(device.kind == DeviceClass::SmartTv);
  return {};
}

bool caches_host(const Behavior& behavior) {
  const auto& cached = behavior.cache_policy->headers;
  return std::binary_search(cached.begin(), cached.end(), "host");
}

/// Whether the origin gets the viewer's Host, which then is part of the key.
bool forwards_host(const Behavior& behavior, const Origin& origin) {
  if (!origin.host_header.empty()) return false;
  return caches_host(behavior) || (behavior.origin_request_policy != nullptr &&
                                   behavior.origin_request_policy->headers.takes("host"));
}

}  // namespace

std::string_view persist_in(std::pmr::memory_resource& memory, std::string_view text) {
  if (text.empty()) return {};
  auto* copy = static_cast<char*>(memory.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

std::optional<std::string_view> key_header(const Decision& decision, const RequestFacts& facts,
                                           std::string_view name,
                                           std::pmr::memory_resource& memory) {
  const std::string_view normalized = name == "host"              ? decision.authority
                                      : name == "accept-language" ? decision.language
                                      : name == "user-agent"      ? decision.device
                                                                  : std::string_view();
  if (!normalized.empty()) return normalized;
  if (name.starts_with("cloudfront-")) return viewer_fact(facts, name, memory);
  std::optional<std::string_view> value;
  Text joined(&memory);
  for (const auto& field : facts.fields) {
    if (field.name != name) continue;
    if (!value) {
      value = field.value;
      continue;
    }
    if (joined.empty()) joined = *value;
    joined += ',';
    joined += field.value;
  }
  return joined.empty() ? value : persist_in(memory, joined);
}

std::string_view select_query(std::string_view query, const NameSelector& selector,
                              std::pmr::memory_resource& memory) {
  if (query.empty() || selector.mode() == NameSelector::Mode::None) return {};
  if (selector.mode() == NameSelector::Mode::All) return query;
  Text selected(&memory);
  http::QueryPair pair;
  for (http::QueryReader reader(query); reader.next(pair);) {
    if (!selector.takes(pair.name)) continue;
    if (!selected.empty()) selected += '&';
    selected += pair.raw;
  }
  return selected == query ? query : persist_in(memory, selected);
}

std::string_view select_cookies(http::Fields request, const NameSelector& selector,
                                std::pmr::memory_resource& memory) {
  if (selector.mode() == NameSelector::Mode::None) return {};
  const auto cookies = viewer_cookies(request, memory);
  if (!cookies) return {};
  if (selector.mode() == NameSelector::Mode::All) return *cookies;
  Text selected(&memory);
  http::CookiePair pair;
  for (http::CookieReader reader(*cookies); reader.next(pair);) {
    if (!selector.takes(pair.name)) continue;
    if (!selected.empty()) selected += "; ";
    selected += pair.raw;
  }
  return persist_in(memory, selected);
}

std::string_view viewer_fact(const RequestFacts& facts, std::string_view name,
                             std::pmr::memory_resource& memory) {
  if (name == "cloudfront-viewer-country") return facts.country.text();
  if (name == "cloudfront-forwarded-proto") return facts.https ? "https" : "http";
  if (name == "cloudfront-viewer-http-version")
    return facts.http_version >= 0x300   ? "3.0"
           : facts.http_version >= 0x200 ? "2.0"
           : facts.http_version == 0x101 ? "1.1"
                                         : "1.0";
  if (name.starts_with("cloudfront-is-"))
    return device_fact(facts, name.substr(std::string_view("cloudfront-is-").size()));
  if (name == "cloudfront-viewer-address") {
    char text[46];
    return persist_in(memory, {text, facts.client.format(text)});
  }
  return {};
}

bool uses_https(const Origin& origin, const RequestFacts& facts) {
  switch (origin.protocol) {
    case schema::OriginProtocolPolicy::HttpOnly:
      return false;
    case schema::OriginProtocolPolicy::HttpsOnly:
      return true;
    case schema::OriginProtocolPolicy::MatchViewer:
      return facts.https;
  }
  return facts.https;
}

std::string_view host_for_origin(const Decision& decision, const RequestFacts& facts,
                                 const Origin& origin) {
  if (!origin.host_header.empty()) return origin.host_header;
  if (forwards_host(*decision.behavior, origin) && !decision.authority.empty())
    return decision.authority;
  return uses_https(origin, facts) ? origin.https_host : origin.http_host;
}

void make_cache_key(const RequestFacts& facts, std::pmr::memory_resource& memory,
                    Decision& decision) {
  const Distribution& distribution = *decision.distribution;
  const CachePolicy& policy = *decision.behavior->cache_policy;
  // A group's members give the same content by definition: the first one's Host stands for all.
  const Origin& origin = distribution.origins[decision.behavior->target->members.front().index];
  const std::string_view query = select_query(decision.query, policy.query_strings, memory);
  const std::string_view cookies = select_cookies(facts.fields, policy.cookies, memory);

  Text text(&memory);
  text.reserve(distribution.name.size() + decision.path.size() + query.size() + cookies.size() +
               128);
  text += distribution.name;
  append_line(text, facts.method == "OPTIONS" ? "OPTIONS" : "GET");
  append_line(text, host_for_origin(decision, facts, origin));
  text += '\n';
  const std::size_t path_at = text.size();
  text += decision.path;
  if (!query.empty()) {
    text += '?';
    text += query;
  }
  const std::size_t path_end = text.size();
  for (const auto& name : policy.headers) {
    append_line(text, name);
    text += ':';
    // Absent differs from empty; no value can be a tab.
    text += key_header(decision, facts, name, memory).value_or("\t");
  }
  if (!decision.device.empty()) {
    append_line(text, "device:");
    text += decision.device;
  }
  if (!cookies.empty()) {
    append_line(text, "cookie:");
    text += cookies;
  }
  if (!decision.accept_encoding.empty() && decision.behavior->codings.empty()) {
    append_line(text, "accept-encoding:");
    text += decision.accept_encoding;
  }

  const bool has_host =
      caches_host(*decision.behavior) || forwards_host(*decision.behavior, origin);
  const std::string_view key = persist_in(memory, text);
  decision.key = {.hash = base::hash128(key),
                  .text = key,
                  .distribution = distribution.name,
                  .path = key.substr(path_at, path_end - path_at),
                  .host = has_host ? decision.host : std::string_view(),
                  .behavior = decision.behavior->pattern.text()};
}

}  // namespace headgate::snapshot
