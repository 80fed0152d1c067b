// SPDX-License-Identifier: MIT
// http::CacheDirectives in twenty octets, for those that are kept by the million.
#pragma once

#include <cstdint>
#include <optional>

#include "appliance/http/caching.h"

namespace headgate::cache {

/// Lifetimes in whole seconds, rounded down, up to 68 years. Threads: immutable.
class PackedDirectives {
 public:
  explicit PackedDirectives(const http::CacheDirectives& directives);
  http::CacheDirectives get() const;

 private:
  std::int32_t explicit_lifetime_;
  std::int32_t stale_while_revalidate_;
  std::int32_t stale_if_error_;
  std::int32_t heuristic_lifetime_;
  std::uint16_t flags_ = 0;
};

}  // namespace headgate::cache
