// SPDX-License-Identifier: MIT
// Look-ups in a model, and the identity of invalidations.
#include "schema/model/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/model/managed.h"
#include "schema/model/streaming.h"
#include "schema/text.h"

namespace headgate::schema {
namespace {

template <class Map, class Managed>
typename Map::mapped_type find_policy(const Map& map, const std::string& reference,
                                      Managed managed) {
  auto found = map.find(reference);
  return found != map.end() ? found->second : managed(reference);
}

}  // namespace

std::shared_ptr<const CachePolicy> Model::find_cache_policy(const std::string& reference) const {
  auto policy = find_policy(cache_policies, reference, find_managed_cache_policy);
  return policy != nullptr ? policy : find_streaming_cache_policy(reference);
}

std::shared_ptr<const OriginRequestPolicy> Model::find_origin_request_policy(
    const std::string& reference) const {
  return find_policy(origin_request_policies, reference, find_managed_origin_request_policy);
}

std::shared_ptr<const ResponseHeadersPolicy> Model::find_response_headers_policy(
    const std::string& reference) const {
  return find_policy(response_headers_policies, reference, find_managed_response_headers_policy);
}

std::string Invalidation::digest() const {
  const auto sorted = [](std::vector<std::string> list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
  };
  // Paths hold no line breaks, so the parts cannot run into each other; nor do the lines of the
  // other parts begin like a path, with a slash.
  std::string text =
      fmt::format("{}\n{}\n{}", distribution, mode == Mode::Delete ? "delete" : "revalidate",
                  fmt::join(sorted(select.paths), "\n"));
  const auto add = [&text](const char* what, const std::vector<std::string>& values) {
    for (const std::string& value : values) text += fmt::format("\n{} {}", what, value);
  };
  add("tag", sorted(select.tags));
  add("host", sorted(select.hosts));
  add("contentType", sorted(select.content_types));
  std::vector<std::string> codes;
  for (const int code : select.status_codes) codes.push_back(fmt::format("{}", code));
  add("statusCode", sorted(codes));
  if (select.stored_before) add("storedBefore", {format_timestamp(*select.stored_before)});
  if (!select.fetched_under.empty()) add("fetchedUnder", {select.fetched_under});
  if (!select.behavior.empty()) add("behavior", {select.behavior});
  if (!undoes.empty()) add("undoes", {undoes});
  if (warm) add(fmt::format("warm {}", warm->host).c_str(), sorted(warm->paths));
  return sha256_hex(text);
}

Invalidation InvalidationSchedule::tick(Timestamp due) const {
  Invalidation invalidation;
  // To the minute: what comes before the seconds of RFC 3339.
  invalidation.name = fmt::format("{}@{}Z", name, format_timestamp(due).substr(0, 16));
  invalidation.distribution = distribution;
  invalidation.select = select;
  invalidation.mode = mode;
  invalidation.retain_for = retain_for;
  return invalidation;
}

std::string Invalidation::id() const {
  return nonce.empty() ? name : fmt::format("{}@{}", name, nonce);
}

}  // namespace headgate::schema
