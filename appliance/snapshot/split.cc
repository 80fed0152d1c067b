// SPDX-License-Identifier: MIT
// Which viewers get a commit that goes live step by step, while the others get what was before.
#include "appliance/snapshot/split.h"

#include <fmt/format.h>

#include <charconv>

#include "appliance/http/cookie.h"

namespace headgate::snapshot {
namespace {

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): neighbours end up far apart.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

std::uint32_t number_of(const base::IpAddress& client, std::uint64_t generation) {
  std::uint64_t hash = mix(generation);
  for (const std::uint8_t octet : client.octets()) hash = mix(hash ^ octet);
  return static_cast<std::uint32_t>(hash % Split::kNumbers);
}

/// Of `GENERATION-NUMBER`; none of another commit's, and none that the edge has not made.
std::optional<std::uint32_t> parse(std::string_view text, std::uint64_t generation) {
  std::uint64_t of = 0;
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, of);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-' || of != generation)
    return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, number);
  if (second.ec != std::errc{} || second.ptr != end || number >= Split::kNumbers)
    return std::nullopt;
  return number;
}

std::optional<std::uint32_t> number_in_cookie(http::Fields fields, std::uint64_t generation) {
  const auto cookies = http::find(fields, "cookie");
  if (!cookies) return std::nullopt;
  http::CookieReader reader(*cookies);
  for (http::CookiePair pair; reader.next(pair);)
    if (pair.name == Split::kCookie)
      if (const auto number = parse(pair.value, generation)) return number;
  return std::nullopt;
}

}  // namespace

Choice choose(const Split& split, http::Fields fields, const base::IpAddress& client,
              std::uint32_t random) {
  Choice choice;
  if (!split.header.empty() && http::find(fields, split.header) == split.value) {
    choice.is_in = choice.by_header = true;
    return choice;
  }
  std::optional<std::uint32_t> number;
  if (split.by_cookie) {
    number = number_in_cookie(fields, split.generation);
    if (!number) number = choice.assigned = random % Split::kNumbers;
  } else {
    number = number_of(client, split.generation);
  }
  choice.is_in = *number < split.share;
  return choice;
}

std::string set_cookie(const Split& split, std::uint32_t number, bool https) {
  return fmt::format("{}={}-{}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{}", Split::kCookie,
                     split.generation, number, split.cookie_seconds, https ? "; Secure" : "");
}

}  // namespace headgate::snapshot
