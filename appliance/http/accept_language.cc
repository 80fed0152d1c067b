// SPDX-License-Identifier: MIT
#include "appliance/http/accept_language.h"

#include <algorithm>
#include <array>

#include "appliance/http/weight.h"

namespace headgate::http {
namespace {

constexpr std::size_t kMostMembers = 32;

struct Range {
  std::string_view tag;
  int weight = 0;
};

/// Shortens a range by its last subtag, and by a single character before that; false at its end.
bool shorten(std::string_view& range) {
  const std::size_t dash = range.rfind('-');
  if (dash == std::string_view::npos) return false;
  range = range.substr(0, dash);
  if (range.size() >= 2 && range[range.size() - 2] == '-') range.remove_suffix(2);
  return true;
}

}  // namespace

std::string_view lookup_language(Fields request, std::span<const std::string> supported,
                                 std::string_view otherwise) {
  std::array<Range, kMostMembers> ranges;
  std::size_t count = 0;
  for (const auto& field : request) {
    if (field.name != "accept-language") continue;
    std::string_view rest = field.value;
    for (std::string_view member; count < kMostMembers && next_list_member(rest, member);) {
      const std::size_t semicolon = member.find(';');
      const Range range{trim(member.substr(0, semicolon)),
                        semicolon == std::string_view::npos
                            ? kFullWeight
                            : weight_of(member.substr(semicolon + 1))};
      if (range.weight > 0) ranges[count++] = range;
    }
  }
  std::stable_sort(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(count),
                   [](const Range& a, const Range& b) { return a.weight > b.weight; });
  for (std::size_t i = 0; i < count; ++i) {
    if (ranges[i].tag == "*") return otherwise;
    std::string_view tag = ranges[i].tag;
    do {
      for (const std::string& language : supported)
        if (equals_ignoring_case(language, tag)) return language;
    } while (shorten(tag));
  }
  return otherwise;
}

}  // namespace headgate::http
