// SPDX-License-Identifier: MIT
#include "appliance/cache/packed_directives.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace headgate::cache {
namespace {

constexpr std::int32_t kAbsent = INT32_MIN;

constexpr std::array kFlags = {
    &http::CacheDirectives::no_store,
    &http::CacheDirectives::no_cache,
    &http::CacheDirectives::is_private,
    &http::CacheDirectives::is_public,
    &http::CacheDirectives::must_revalidate,
    &http::CacheDirectives::must_understand,
    &http::CacheDirectives::has_cache_control_or_expires,
    &http::CacheDirectives::heuristics_allowed,
    &http::CacheDirectives::allows_authorization,
};

std::int32_t pack(std::optional<Duration> lifetime) {
  if (!lifetime) return kAbsent;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*lifetime).count();
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(seconds, std::int64_t{kAbsent} + 1, INT32_MAX));
}

std::optional<Duration> unpack(std::int32_t seconds) {
  if (seconds == kAbsent) return std::nullopt;
  return std::chrono::seconds(seconds);
}

}  // namespace

PackedDirectives::PackedDirectives(const http::CacheDirectives& directives)
    : explicit_lifetime_(pack(directives.explicit_lifetime)),
      stale_while_revalidate_(pack(directives.stale_while_revalidate)),
      stale_if_error_(pack(directives.stale_if_error)),
      heuristic_lifetime_(pack(directives.heuristic_lifetime)) {
  for (std::size_t i = 0; i < kFlags.size(); ++i)
    flags_ = static_cast<std::uint16_t>(flags_ | (directives.*kFlags[i]) << i);
}

http::CacheDirectives PackedDirectives::get() const {
  http::CacheDirectives directives;
  directives.explicit_lifetime = unpack(explicit_lifetime_);
  directives.stale_while_revalidate = unpack(stale_while_revalidate_);
  directives.stale_if_error = unpack(stale_if_error_);
  directives.heuristic_lifetime = unpack(heuristic_lifetime_);
  for (std::size_t i = 0; i < kFlags.size(); ++i) directives.*kFlags[i] = flags_ >> i & 1;
  return directives;
}

}  // namespace headgate::cache
