// SPDX-License-Identifier: MIT
#include "appliance/snapshot/request/normalize.h"

#include <algorithm>
#include <vector>

#include "appliance/http/accept_language.h"
#include "appliance/http/query.h"
#include "appliance/snapshot/request/cache_key.h"
#include "appliance/snapshot/request/device.h"
#include "appliance/snapshot/request/own_cookies.h"

namespace headgate::snapshot {
namespace {

/// Whether `name` is what `pattern` says, in which '*' stands for any characters. Takes time in the
/// product of their lengths at most.
bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::string_view lower(std::string_view text, std::pmr::memory_resource& memory) {
  std::pmr::string out(text, &memory);
  std::transform(out.begin(), out.end(), out.begin(), http::to_lower);
  return persist_in(memory, out);
}

}  // namespace

std::string_view normalize_query(std::string_view query, const schema::Normalize& rules,
                                 std::pmr::memory_resource& memory) {
  if (query.empty() || (rules.drop_query.empty() && !rules.sort_query)) return query;
  std::pmr::vector<http::QueryPair> pairs(&memory);
  http::QueryPair pair;
  for (http::QueryReader reader(query); reader.next(pair);)
    if (std::none_of(rules.drop_query.begin(), rules.drop_query.end(),
                     [&](const std::string& pattern) { return matches(pattern, pair.name); }))
      pairs.push_back(pair);
  if (rules.sort_query)
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const auto& a, const auto& b) { return a.name < b.name; });
  std::pmr::string normalized(&memory);
  normalized.reserve(query.size());
  for (const auto& kept : pairs) {
    if (!normalized.empty()) normalized += '&';
    normalized += kept.raw;
  }
  return normalized == query ? query : persist_in(memory, normalized);
}

void normalize(const RequestFacts& facts, std::pmr::memory_resource& memory, Decision& decision) {
  const auto& rules = decision.behavior->cache_policy->normalize;
  decision.authority = rules.lowercase_host ? lower(facts.authority, memory) : facts.authority;
  decision.query = normalize_query(decision.query, rules, memory);
  if (rules.language)
    decision.language =
        http::lookup_language(facts.fields, rules.language->supported, rules.language->otherwise);
  if (rules.device)
    decision.device =
        name_of(classify_device(http::find(facts.fields, "user-agent").value_or("")).kind);
}

http::Fields selecting_fields(const Decision& decision, const RequestFacts& facts,
                              std::pmr::memory_resource& memory) {
  if (decision.behavior == nullptr) return facts.fields;
  const CachePolicy& policy = *decision.behavior->cache_policy;
  const bool brings_own_cookie = has_own_cookie(facts.fields);
  const auto is_normalized = [&](std::string_view name) {
    return (name == "cookie" && brings_own_cookie) ||
           (name == "accept-encoding" && !policy.codings.empty()) ||
           (name == "accept-language" && policy.normalize.language.has_value()) ||
           (name == "user-agent" && policy.normalize.device);
  };
  const bool touches = brings_own_cookie || policy.normalize.language || policy.normalize.device ||
                       (!policy.codings.empty() && http::find(facts.fields, "accept-encoding"));
  if (!touches) return facts.fields;
  std::pmr::vector<http::Field> fields(&memory);
  fields.reserve(facts.fields.size() + 3);
  for (const auto& field : facts.fields)
    if (!is_normalized(field.name)) fields.push_back(field);
  if (const auto cookies = viewer_cookies(facts.fields, memory); brings_own_cookie && cookies)
    fields.push_back({"cookie", *cookies});
  if (!decision.accept_encoding.empty())
    fields.push_back({"accept-encoding", decision.accept_encoding});
  if (policy.normalize.language) fields.push_back({"accept-language", decision.language});
  if (policy.normalize.device) fields.push_back({"user-agent", decision.device});
  // Memory of a request's resource outlives the vector.
  return {fields.data(), fields.size()};
}

}  // namespace headgate::snapshot
