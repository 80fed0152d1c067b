// SPDX-License-Identifier: MIT
// Cache-Status as this edge writes it: RFC 9211.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace headgate::http {

/// Why a request went forward: section 2.2.
enum class Forward { None, Bypass, Method, UriMiss, VaryMiss, Miss, Request, Stale, Partial };

struct CacheStatus {
  bool hit = false;  ///< served without going forward; `forward` must then be None
  Forward forward = Forward::None;
  std::optional<int> forward_status = std::nullopt;  ///< what the next hop answered
  bool stored = false;                               ///< that answer has been, or is being, stored
  bool collapsed = false;                            ///< with another request's way forward
  /// Remaining freshness, negative once stale.
  std::optional<std::int64_t> ttl_seconds = std::nullopt;
  std::string_view detail = {};  ///< ours; at most 64 octets of it are written
};

/// Long enough for every CacheStatus.
inline constexpr std::size_t kCacheStatusSize = 256;

/// Writes "headgate; hit; ttl=30" into `out` and returns the text written. Allocates nothing. No
/// key is ever written: it would tell a client what others are served by.
std::string_view write_cache_status(const CacheStatus& status,
                                    std::span<char, kCacheStatusSize> out);

}  // namespace headgate::http
