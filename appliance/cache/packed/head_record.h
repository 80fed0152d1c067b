// SPDX-License-Identifier: MIT
// What a stored response keeps of its fetch, in some thirty octets: there are millions of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "appliance/base/time.h"
#include "appliance/base/varint.h"
#include "appliance/http/caching.h"

namespace headgate::cache {

/// Octets of the texts that follow a record.
struct RecordSizes {
  std::size_t key = 0;
  std::size_t texts = 0;   ///< the key, then those of distribution and path that are no part of it
  std::size_t fields = 0;  ///< packed
};

/// Lifetimes are kept in whole seconds, rounded down; everything else as it is.
struct HeadRecord {
  RecordSizes sizes;
  http::CacheDirectives directives;
  std::uint64_t changes = 0;
  Duration initial_age = Duration::zero();
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;
  /// Where in the texts.
  std::uint64_t distribution_at = 0;
  std::uint64_t distribution_size = 0;
  std::uint64_t path_at = 0;
  std::uint64_t path_size = 0;
  /// When it came by the wall clock, less what the other clock makes of that at present: near zero
  /// unless the clock was set.
  std::int64_t wall_drift = 0;
  std::uint64_t host_label = 0;
  std::uint64_t behavior_label = 0;
  std::uint64_t sliced_id = 0;
  std::uint64_t sliced_length = 0;
  bool is_sliced = false;
};

/// At most this many octets.
inline constexpr std::size_t kMaxHeadRecord = 2 + 17 * base::kMaxVarint + 3 * sizeof(std::uint64_t);
static_assert(kMaxHeadRecord < 256);

/// Returns the end.
char* put_record(const HeadRecord& record, char* to);
HeadRecord get_record(const char* from);
/// Parts of it, for less.
RecordSizes get_sizes(const char* from);
http::CacheDirectives get_directives(const char* from);
std::uint64_t get_changes(const char* from);

}  // namespace headgate::cache
