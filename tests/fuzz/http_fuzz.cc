// SPDX-License-Identifier: MIT
// Fuzzes the parsers of appliance/http: the first octet picks one, the rest is its input. Besides
// not crashing, each must keep a promise of its header.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/assert.h"
#include "appliance/http/accept_encoding.h"
#include "appliance/http/accept_language.h"
#include "appliance/http/authority.h"
#include "appliance/http/cache_status.h"
#include "appliance/http/caching.h"
#include "appliance/http/conditional.h"
#include "appliance/http/cookie.h"
#include "appliance/http/hop_by_hop.h"
#include "appliance/http/path.h"
#include "appliance/http/query.h"
#include "appliance/http/structured.h"
#include "appliance/http/vary.h"
#include "appliance/http/weight.h"

using namespace headgate;
using namespace headgate::http;

namespace {

constexpr base::WallTime kNow{std::chrono::hours(24 * 365 * 56)};

/// "name:value" lines; a name of one octet stands for a usual one, so that the fuzzer need not
/// spell it.
std::vector<Field> read_fields(std::string_view input) {
  constexpr std::array<std::string_view, 16> kNames = {"cache-control", "cdn-cache-control",
                                                       "expires",       "date",
                                                       "last-modified", "etag",
                                                       "age",           "vary",
                                                       "if-none-match", "if-modified-since",
                                                       "range",         "if-range",
                                                       "connection",    "cookie",
                                                       "authorization", "set-cookie"};
  std::vector<Field> fields;
  while (!input.empty()) {
    const std::size_t end = input.find('\n');
    const std::string_view line = input.substr(0, end);
    input = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view name = line.substr(0, colon);
    if (name.size() == 1) name = kNames[static_cast<unsigned char>(name[0]) % kNames.size()];
    fields.push_back({.name = name, .value = trim(line.substr(colon + 1))});
  }
  return fields;
}

void fuzz_caching(std::string_view input) {
  if (input.empty()) return;
  const int status = 100 + static_cast<unsigned char>(input[0]) * 2;
  const auto fields = read_fields(input.substr(1));
  const CacheDirectives directives = parse_directives(status, fields, kNow);
  const Duration zero{};
  const Duration day = std::chrono::hours(24);
  for (const auto& window : {directives.stale_while_revalidate, directives.stale_if_error})
    if (window) HG_ASSERT(*window >= zero && *window <= std::chrono::seconds(1LL << 31));
  if (directives.explicit_lifetime) HG_ASSERT(*directives.explicit_lifetime >= zero);
  for (const TtlPolicy& policy :
       {TtlPolicy{zero, zero, day}, TtlPolicy{zero, day, day}, TtlPolicy{day / 2, day, day}}) {
    const Duration lifetime = freshness_lifetime(directives, policy);
    HG_ASSERT(lifetime >= zero && lifetime <= day);
    const bool storable = may_store(status, directives, fields, policy, false);
    if (storable) HG_ASSERT(!varies_on_everything(fields) && status >= 200);
    if (storable && policy.min == zero) HG_ASSERT(!directives.no_store && !directives.is_private);
    if (may_store(status, directives, fields, policy, true)) HG_ASSERT(storable);
  }
  HG_ASSERT(initial_age(fields, kNow, day) >= day);
  for (const std::string& name : restricted_fields(fields)) HG_ASSERT(is_token(name));
}

void fuzz_date(std::string_view input) {
  const auto time = parse_http_date(input, kNow);
  if (!time) return;
  std::array<char, 29> text{};
  format_http_date(*time, text.data());
  HG_ASSERT(parse_http_date({text.data(), text.size()}, kNow) == time);
}

void fuzz_conditional(std::string_view input) {
  const auto fields = read_fields(input);
  is_not_modified(fields, fields);
  for (const std::uint64_t length :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, UINT64_MAX}) {
    ByteRanges ranges;
    if (evaluate_range(fields, fields, length, ranges) != RangeVerdict::Satisfiable) continue;
    HG_ASSERT(ranges.count > 0 && ranges.count <= ByteRanges::kMax);
    for (std::size_t i = 0; i < ranges.count; ++i) {
      const ByteRange range = ranges.parts[i];
      HG_ASSERT(range.first <= range.last && range.last < length);
    }
  }
}

void fuzz_query(std::string_view input) {
  std::string joined;
  QueryPair pair;
  for (QueryReader query(input); query.next(pair);) {
    HG_ASSERT(!pair.raw.empty() && pair.name.find('=') == pair.name.npos);
    HG_ASSERT(pair.raw.size() ==
              pair.name.size() + pair.value.size() + (pair.raw.find('=') != pair.raw.npos ? 1 : 0));
    joined.append(joined.empty() ? "" : "&").append(pair.raw);
  }
  std::string_view path;
  std::string_view query;
  split_target(input, path, query);
  HG_ASSERT(path.find('?') == path.npos);
  // Reading what was joined gives the same again.
  std::string again;
  for (QueryReader reader(joined); reader.next(pair);)
    again.append(again.empty() ? "" : "&").append(pair.raw);
  HG_ASSERT(again == joined);
}

void fuzz_cookie(std::string_view input) {
  CookiePair pair;
  for (CookieReader cookie(input); cookie.next(pair);)
    HG_ASSERT(!pair.raw.empty() && pair.raw.find(';') == pair.raw.npos &&
              pair.name.find('=') == pair.name.npos);
  std::string buffer;
  join_cookies(read_fields(input), buffer);
}

void fuzz_vary(std::string_view input) {
  const auto fields = read_fields(input);
  const Vary vary = parse_vary(fields);
  HG_ASSERT(vary.everything == varies_on_everything(fields));
  HG_ASSERT(std::is_sorted(vary.names.begin(), vary.names.end()));
  HG_ASSERT(std::adjacent_find(vary.names.begin(), vary.names.end()) == vary.names.end());
  for (const std::string& name : vary.names)
    HG_ASSERT(is_token(name) &&
              std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
  HG_ASSERT(vary_key(vary.names, fields) == vary_key(vary.names, fields));
  const HopByHop hop(fields);
  HG_ASSERT(!hop.drops("host") && hop.drops("te"));
}

void fuzz_authority(std::string_view input) {
  const auto authority = parse_authority(input);
  if (!authority) return;
  HG_ASSERT(!authority->host.empty() &&
            authority->host.find_first_of("[]@/ \0") == std::string::npos);
  // The canonical form is its own canonical form.
  const std::string text = authority->is_ipv6 ? "[" + authority->host + "]" : authority->host;
  if (!authority->host.ends_with('.')) HG_ASSERT(parse_authority(text)->host == authority->host);
}

void fuzz_path(std::string_view input) {
  const std::string path = "/" + std::string(input);
  std::pmr::monotonic_buffer_resource memory;
  const auto canonical = canonical_path(path, memory);
  if (!canonical.refusal.empty()) return;
  HG_ASSERT(canonical.path.starts_with('/'));
  HG_ASSERT(canonical_path(canonical.path, memory).path == canonical.path);
  for (const char c : canonical.path) HG_ASSERT(c > 0x20 && c < 0x7f && c != '#' && c != '\\');
  const std::string framed = std::string(canonical.path) + "/";
  for (const char* dots : {"/./", "/../", "/..%2F", "%2F../", "/..%5C", "%5C../", "/..;", "/.;"})
    HG_ASSERT(framed.find(dots) == std::string::npos);
}

void fuzz_structured(std::string_view input) {
  parse_sf_dictionary(read_fields(input), "cache-control");
  std::string text = "k=";
  append_sf_string(text, input);
  const std::array<Field, 1> fields = {Field{.name = "d", .value = text}};
  const auto members = parse_sf_dictionary(fields, "d");
  HG_ASSERT(members && std::get<std::string>(members->at(0).value).size() == input.size());
  std::array<char, kCacheStatusSize> buffer{};
  HG_ASSERT(write_cache_status({.hit = true, .detail = input}, buffer).size() <= buffer.size());
}

void fuzz_accept(std::string_view input) {
  const std::array fields = {Field{.name = "accept-encoding", .value = input},
                             Field{.name = "accept-language", .value = input}};
  const AcceptEncoding accept(fields);
  CodingSet all;
  for (const Coding coding : kEveryCoding) all.add(coding);
  const CodingSet accepted = accept.among(all);
  const Coding chosen = accept.choose(all);
  HG_ASSERT(chosen == Coding::Identity || accepted.contains(chosen));
  for (const Coding coding : kEveryCoding)
    HG_ASSERT(accept.weight(coding) >= 0 && accept.weight(coding) <= kFullWeight);
  // What is written of a set reads as the set.
  const std::array again = {Field{.name = "accept-encoding", .value = to_field(accepted)}};
  HG_ASSERT(AcceptEncoding(again).among(all) == accepted);
  const std::vector<std::string> supported = {"en", "de-AT", "zh-Hant"};
  const std::string_view language = lookup_language(fields, supported, "none");
  HG_ASSERT(language == "none" ||
            std::find(supported.begin(), supported.end(), language) != supported.end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array kTargets = {fuzz_caching, fuzz_date, fuzz_conditional, fuzz_query,
                                   fuzz_cookie,  fuzz_vary, fuzz_authority,   fuzz_structured,
                                   fuzz_accept,  fuzz_path};
  kTargets[data[0] % kTargets.size()](
      std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
  return 0;
}
