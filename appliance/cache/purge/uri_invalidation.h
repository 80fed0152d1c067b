// SPDX-License-Identifier: MIT
// URIs that an unsafe method has changed: what is stored of them is no longer good (RFC 9111
// section 4.4).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace headgate::cache {

/// Hash of a URI as changes see it: of all variants and all keys for one path and query of a
/// distribution.
std::uint64_t uri_hash(std::string_view distribution, std::string_view path);

/// When each URI was last changed, counted in changes, in a table of fixed size. URIs that share a
/// place also share their changes: a response may be validated once too often, never once too
/// seldom. A look-up is one load; nothing is allocated and nobody waits. Threads: any.
class UriInvalidations {
 public:
  UriInvalidations();
  ~UriInvalidations();

  /// Changes so far; to be asked before a fetch begins, and kept in its Stamp.
  std::uint64_t count() const { return count_.load(std::memory_order_acquire); }
  /// Goes on from `count`, which is above all that was counted before. Before anything else.
  void start_at(std::uint64_t count) { count_.store(count, std::memory_order_release); }
  /// What was fetched of the URI until now is invalid.
  void invalidate(std::uint64_t uri);
  /// Whether the URI was changed since `count` was asked for.
  bool covers(std::uint64_t uri, std::uint64_t count) const {
    return (*places_)[uri % kPlaces].load(std::memory_order_acquire) > count;
  }

 private:
  static constexpr std::size_t kPlaces = std::size_t{1} << 16;
  using Place = std::atomic<std::uint64_t>;
  std::atomic<std::uint64_t> count_{0};
  std::unique_ptr<std::array<Place, kPlaces>> places_;
};

}  // namespace headgate::cache
