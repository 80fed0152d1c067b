// SPDX-License-Identifier: MIT
// What a stored response keeps of its fetch, in some thirty octets: there are millions of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "appliance/base/time.h"
#include "appliance/base/varint.h"
#include "appliance/cache/packed/shared_texts.h"
#include "appliance/http/caching.h"

namespace headgate::cache {

/// With a scope the key from its path on follows a record; without, all of it.
struct RecordKey {
  SharedTexts::Number scope = SharedTexts::kNone;
  std::size_t size = 0;  ///< octets
};

/// The texts that follow a record, in octets.
struct RecordTexts {
  RecordKey key;
  std::size_t all = 0;     ///< the key, then those of distribution and path that are no part of it
  std::size_t fields = 0;  ///< packed
};

/// Lifetimes are kept in whole seconds, rounded down; everything else as it is.
struct HeadRecord {
  RecordTexts texts;
  http::CacheDirectives directives;
  std::uint64_t changes = 0;
  Duration initial_age = Duration::zero();
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;
  std::uint64_t path_size = 0;
  /// Where in the texts, and the labels: without a scope only.
  std::uint64_t path_at = 0;
  std::uint64_t distribution_at = 0;
  std::uint64_t distribution_size = 0;
  std::uint64_t host_label = 0;
  std::uint64_t behavior_label = 0;
  /// When it came by the wall clock, less what the other clock makes of that at present: near zero
  /// unless the clock was set.
  std::int64_t wall_drift = 0;
  /// The whole that it stands for, or that it is a slice of.
  std::uint64_t sliced_id = 0;
  std::uint64_t sliced_length = 0;
  bool is_sliced = false;
};

/// The bit of a record's first two octets that says whether it has a scope.
inline constexpr unsigned kHasScope = 15;

/// At most this many octets.
inline constexpr std::size_t kMaxHeadRecord =
    2 * sizeof(std::uint16_t) + 17 * base::kMaxVarint + 3 * sizeof(std::uint64_t);
static_assert(kMaxHeadRecord < 256);

/// Returns the end.
char* put_record(const HeadRecord& record, char* to);
HeadRecord get_record(const char* from);
/// Parts of it, for less.
RecordTexts get_texts(const char* from);
/// The first of it, which every look-up needs. Moves `from` behind it.
inline RecordKey take_key(const char*& from) {
  std::uint16_t flags = 0;
  std::memcpy(&flags, from, sizeof flags);
  from += sizeof flags;
  RecordKey key;
  if ((flags >> kHasScope & 1U) != 0) {
    std::memcpy(&key.scope, from, sizeof key.scope);
    from += sizeof key.scope;
  }
  key.size = static_cast<std::size_t>(base::get_varint(from));
  return key;
}
http::CacheDirectives get_directives(const char* from);
std::uint64_t get_changes(const char* from);

}  // namespace headgate::cache
