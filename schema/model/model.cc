// SPDX-License-Identifier: MIT
// Look-ups in a model, and the identity of invalidations.
#include "schema/model/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/model/managed.h"
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
  return find_policy(cache_policies, reference, find_managed_cache_policy);
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
  std::vector<std::string> sorted = paths;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  // Paths hold no line breaks, so the parts cannot run into each other.
  return sha256_hex(fmt::format("{}\n{}\n{}", distribution,
                                mode == Mode::Delete ? "delete" : "revalidate",
                                fmt::join(sorted, "\n")));
}

std::string Invalidation::id() const {
  return nonce.empty() ? name : fmt::format("{}@{}", name, nonce);
}

}  // namespace headgate::schema
