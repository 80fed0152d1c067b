// SPDX-License-Identifier: MIT
// Reads as much of a regex as it takes to cut it.
#include "appliance/guard/waf/match/relax.h"

#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// Behind the class that begins at `at`, where '[' is.
std::size_t class_end(std::string_view pattern, std::size_t at) {
  ++at;
  if (at < pattern.size() && pattern[at] == '^') ++at;
  if (at < pattern.size() && pattern[at] == ']') ++at;  // one that stands for itself
  for (; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      ++at;
    } else if (pattern[at] == '[' && at + 1 < pattern.size() && pattern[at + 1] == ':') {
      const std::size_t end = pattern.find(":]", at + 2);
      if (end != kNone) at = end + 1;
    } else if (pattern[at] == ']') {
      return at + 1;
    }
  }
  return kNone;
}

// Behind the group that begins at `at`, where '(' is.
std::size_t group_end(std::string_view pattern, std::size_t at) {
  std::size_t depth = 0;
  while (at < pattern.size()) {
    switch (pattern[at]) {
      case '\\':
        at += 2;
        break;
      case '[':
        at = class_end(pattern, at);
        if (at == kNone) return kNone;
        break;
      case '(':
        ++depth;
        ++at;
        break;
      case ')':
        ++at;
        if (--depth == 0) return at;
        break;
      default:
        ++at;
    }
  }
  return kNone;
}

// Behind "*", "+?", "{2,3}" and the like at `at`, or `at`.
std::size_t quantifier_end(std::string_view pattern, std::size_t at) {
  if (at >= pattern.size()) return at;
  const char c = pattern[at];
  if (c == '{') {
    std::size_t end = at + 1;
    while (end < pattern.size() && (text::is_digit(pattern[end]) || pattern[end] == ',')) ++end;
    if (end == at + 1 || end == pattern.size() || pattern[end] != '}') return at;  // a plain brace
    at = end + 1;
  } else if (c == '*' || c == '+' || c == '?') {
    ++at;
  } else {
    return at;
  }
  if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == '+')) ++at;
  return at;
}

}  // namespace

std::vector<std::size_t> sequence_ends(std::string_view pattern) {
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; at < pattern.size();) {
    switch (pattern[at]) {
      case '|':
      case ')':
        return {};
      case '\\':
        // \x{…}, \Q…\E and the like are not worth knowing.
        if (at + 1 >= pattern.size() || pattern.substr(at + 1, 1).find_first_of("QEgkpPNoc") == 0 ||
            pattern.substr(at + 1, 2) == "x{")
          return {};
        at += pattern[at + 1] == 'x' ? 4 : 2;
        break;
      case '[':
        at = class_end(pattern, at);
        break;
      case '(':
        at = group_end(pattern, at);
        break;
      default:
        ++at;
    }
    if (at == kNone || at > pattern.size()) return {};
    at = quantifier_end(pattern, at);
    ends.push_back(at);
  }
  return ends;
}

}  // namespace headgate::guard::waf
