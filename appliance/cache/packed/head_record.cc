// SPDX-License-Identifier: MIT
//   record := flags:u16 scope:u16? key_size texts_size fields_size lifetime{0,4} changes
//             initial_age epoch generation wall_drift path_size place? (sliced_id sliced_length)?
//   place  := path_at distribution_at distribution_size host_label? behavior_label
// A record has a scope, or a place.
// Labels and ids are eight octets, everything else a varint. `flags` says which of the directives
// hold and which of the lifetimes and of the optional parts are there.
#include "appliance/cache/packed/head_record.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace headgate::cache {
namespace {

using base::get_varint;
using base::put_varint;
using http::CacheDirectives;

constexpr std::array kDirectives = {
    &CacheDirectives::no_store,
    &CacheDirectives::no_cache,
    &CacheDirectives::is_private,
    &CacheDirectives::is_public,
    &CacheDirectives::must_revalidate,
    &CacheDirectives::must_understand,
    &CacheDirectives::has_cache_control_or_expires,
    &CacheDirectives::heuristics_allowed,
    &CacheDirectives::allows_authorization,
};
constexpr std::array kLifetimes = {
    &CacheDirectives::explicit_lifetime,
    &CacheDirectives::stale_while_revalidate,
    &CacheDirectives::stale_if_error,
    &CacheDirectives::heuristic_lifetime,
};
constexpr unsigned kHasHost = kDirectives.size() + kLifetimes.size();
constexpr unsigned kIsSliced = kHasHost + 1;
static_assert(kIsSliced < kHasScope);

std::uint16_t flags_of(const HeadRecord& record) {
  unsigned flags = 0;
  unsigned bit = 0;
  for (const auto directive : kDirectives)
    flags |= static_cast<unsigned>(record.directives.*directive) << bit++;
  for (const auto lifetime : kLifetimes)
    flags |= static_cast<unsigned>((record.directives.*lifetime).has_value()) << bit++;
  flags |= static_cast<unsigned>(record.host_label != 0) << kHasHost;
  flags |= static_cast<unsigned>(record.is_sliced) << kIsSliced;
  flags |= static_cast<unsigned>(record.texts.key.scope != SharedTexts::kNone) << kHasScope;
  return static_cast<std::uint16_t>(flags);
}

template <class T>
char* put_whole(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

template <class T>
T get_whole(const char*& from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  from += sizeof value;
  return value;
}

unsigned get_flags(const char* from) { return get_whole<std::uint16_t>(from); }

std::uint64_t seconds_of(Duration lifetime) {
  return base::zigzag(std::chrono::floor<std::chrono::seconds>(lifetime).count());
}

/// These move `from` behind what they get.
RecordTexts take_texts(const char*& from) {
  RecordTexts texts;
  texts.key = take_key(from);
  texts.all = static_cast<std::size_t>(get_varint(from));
  texts.fields = static_cast<std::size_t>(get_varint(from));
  return texts;
}

CacheDirectives take_directives(const char*& from, unsigned flags) {
  CacheDirectives directives;
  unsigned bit = 0;
  for (const auto directive : kDirectives) directives.*directive = ((flags >> bit++) & 1U) != 0;
  for (const auto lifetime : kLifetimes)
    if (((flags >> bit++) & 1U) != 0)
      directives.*lifetime = std::chrono::seconds(base::unzigzag(get_varint(from)));
  return directives;
}

}  // namespace

char* put_record(const HeadRecord& record, char* to) {
  const bool has_scope = record.texts.key.scope != SharedTexts::kNone;
  to = put_whole(to, flags_of(record));
  if (has_scope) to = put_whole(to, record.texts.key.scope);
  for (const std::uint64_t size : {record.texts.key.size, record.texts.all, record.texts.fields})
    to = put_varint(to, size);
  for (const auto lifetime : kLifetimes)
    if (const auto& value = record.directives.*lifetime) to = put_varint(to, seconds_of(*value));
  for (const std::uint64_t number :
       {record.changes, base::zigzag(record.initial_age.count()), record.epoch, record.generation,
        base::zigzag(record.wall_drift), record.path_size})
    to = put_varint(to, number);
  if (!has_scope) {
    for (const std::uint64_t number :
         {record.path_at, record.distribution_at, record.distribution_size})
      to = put_varint(to, number);
    if (record.host_label != 0) to = put_whole(to, record.host_label);
    to = put_whole(to, record.behavior_label);
  }
  if (!record.is_sliced) return to;
  return put_varint(put_whole(to, record.sliced_id), record.sliced_length);
}

RecordTexts get_texts(const char* from) { return take_texts(from); }

http::CacheDirectives get_directives(const char* from) {
  const unsigned flags = get_flags(from);
  take_texts(from);
  return take_directives(from, flags);
}

std::uint64_t get_changes(const char* from) {
  const unsigned flags = get_flags(from);
  take_texts(from);
  take_directives(from, flags);
  return get_varint(from);
}

HeadRecord get_record(const char* from) {
  HeadRecord record;
  const unsigned flags = get_flags(from);
  record.texts = take_texts(from);
  record.directives = take_directives(from, flags);
  record.changes = get_varint(from);
  record.initial_age = Duration(base::unzigzag(get_varint(from)));
  record.epoch = get_varint(from);
  record.generation = get_varint(from);
  record.wall_drift = base::unzigzag(get_varint(from));
  record.path_size = get_varint(from);
  if (record.texts.key.scope == SharedTexts::kNone) {
    record.path_at = get_varint(from);
    record.distribution_at = get_varint(from);
    record.distribution_size = get_varint(from);
    if (((flags >> kHasHost) & 1U) != 0) record.host_label = get_whole<std::uint64_t>(from);
    record.behavior_label = get_whole<std::uint64_t>(from);
  }
  record.is_sliced = ((flags >> kIsSliced) & 1U) != 0;
  if (!record.is_sliced) return record;
  record.sliced_id = get_whole<std::uint64_t>(from);
  record.sliced_length = get_varint(from);
  return record;
}

}  // namespace headgate::cache
