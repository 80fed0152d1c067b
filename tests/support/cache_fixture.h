// SPDX-License-Identifier: MIT
// Keys, fields and stored responses for tests of the cache.
#pragma once

#include <string>
#include <vector>

#include "appliance/cache/response.h"

namespace headgate::test {

/// A Key and the text it points at.
struct OwnedKey {
  OwnedKey(std::string distribution_name, std::string target)
      : distribution(std::move(distribution_name)),
        path(std::move(target)),
        text(distribution + " " + path) {}

  cache::Key key() const {
    return {.hash = base::hash128(text), .text = text, .distribution = distribution, .path = path};
  }
  std::string distribution;
  std::string path;
  std::string text;
};

using OwnedFields = std::vector<http::Field>;

inline constexpr base::WallTime kSomeTime{std::chrono::hours(24 * 365 * 56)};

inline base::Ref<cache::StoredResponse> make_response(const cache::Key& key, http::Fields fields,
                                                      std::string_view body,
                                                      cache::Stamp stamp = {}) {
  return cache::StoredResponse::make(key, 200, fields, cache::Body::of(body), stamp,
                                     base::MonoTime(), base::MonoTime(), kSomeTime,
                                     Duration::zero());
}

}  // namespace headgate::test
