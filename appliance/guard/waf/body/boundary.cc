// SPDX-License-Identifier: MIT
// Finds a boundary and distrusts it.
#include "appliance/guard/waf/body/boundary.h"

#include <algorithm>

#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {
namespace {

constexpr std::string_view kType = "multipart/form-data";
constexpr std::string_view kParameter = "boundary";
constexpr std::size_t kLongestContentType = 1024;

std::string lowercased(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), text::to_lower);
  return lower;
}

// How often the word stands in `text` with a '=' somewhere behind it.
int count_parameters(std::string_view text) {
  const std::string lower = lowercased(text);
  int count = 0;
  for (std::size_t at = lower.find(kParameter); at != std::string::npos;
       at = lower.find(kParameter, at + kParameter.size())) {
    if (lower.find('=', at + kParameter.size()) != std::string::npos) ++count;
  }
  return count;
}

bool valid_characters(std::string_view boundary) {
  constexpr std::string_view kMarks = "'()+_,-./:=? ";
  const bool all = std::all_of(boundary.begin(), boundary.end(), [&](char c) {
    return text::is_alnum(c) || kMarks.find(c) != std::string_view::npos;
  });
  return all && !boundary.ends_with(' ');
}

Boundary refused(const char* why) {
  Boundary boundary;
  boundary.error = why;
  boundary.strict = false;
  return boundary;
}

std::string_view without_blanks_behind(std::string_view text) {
  while (!text.empty() && text::is_space(text.back())) text.remove_suffix(1);
  return text;
}

struct Parameter {
  std::string_view name;
  std::string_view value;
  bool plain = true;  ///< neither quoted nor with white space around anything
};

// False at the end. `strict`: whether just one semicolon, and blanks, stand before it.
bool skip_to_parameter(std::string_view& rest, bool& strict) {
  int semicolons = 0;
  const bool ended = rest.empty();
  while (!rest.empty() && (rest.front() == ';' || text::is_space(rest.front()))) {
    if (rest.front() == ';') ++semicolons;
    rest.remove_prefix(1);
  }
  if (!ended && semicolons != 1) strict = false;
  return !rest.empty();
}

// RFC 2045 section 5.1: name=token or name="quoted". Receivers take more than tokens without
// quotes, up to a semicolon. A quoted value keeps its backslashes.
bool take_parameter(std::string_view& rest, Parameter& parameter) {
  const std::size_t end = std::min(rest.find_first_of("=;"), rest.size());
  parameter.name = without_blanks_behind(rest.substr(0, end));
  parameter.plain = parameter.name.size() == end;
  rest.remove_prefix(end);
  if (!rest.starts_with('=')) return true;  // without a value
  rest.remove_prefix(1);
  while (!rest.empty() && text::is_space(rest.front())) {
    parameter.plain = false;
    rest.remove_prefix(1);
  }
  if (!rest.starts_with('"')) {
    const std::size_t size = std::min(rest.find(';'), rest.size());
    parameter.value = without_blanks_behind(rest.substr(0, size));
    if (parameter.value.size() != size) parameter.plain = false;
    rest.remove_prefix(size);
    return !parameter.value.ends_with('"');
  }
  parameter.plain = false;
  std::size_t close = 1;
  while (close < rest.size() && rest[close] != '"') close += rest[close] == '\\' ? 2 : 1;
  if (close >= rest.size()) return false;
  parameter.value = rest.substr(1, close - 1);
  rest.remove_prefix(close + 1);
  while (!rest.empty() && text::is_space(rest.front())) rest.remove_prefix(1);
  return rest.empty() || rest.front() == ';';
}

}  // namespace

Boundary find_boundary(std::string_view content_type) {
  if (content_type.size() > kLongestContentType) return refused("Content-Type is too long");
  if (lowercased(content_type.substr(0, kType.size())) != kType)
    return refused("Content-Type is not multipart/form-data");
  if (count_parameters(content_type) > 1) return refused("several boundaries");
  std::string_view rest = content_type.substr(kType.size());
  if (!rest.empty() && rest.front() != ';' && !text::is_space(rest.front()))
    return refused("Content-Type is not multipart/form-data");
  Boundary boundary;
  bool first = true;
  while (skip_to_parameter(rest, boundary.strict)) {
    Parameter parameter;
    if (!take_parameter(rest, parameter)) return refused("a parameter quoted at one end");
    if (lowercased(parameter.name) != kParameter) {
      // Behind the boundary some senders add "; charset=…".
      if (boundary.text.empty()) first = false;
      continue;
    }
    if (!valid_characters(parameter.value) || parameter.value.empty())
      return refused("characters no boundary may have");
    if (!first || !parameter.plain || parameter.name != kParameter) boundary.strict = false;
    boundary.text = parameter.value;
  }
  if (boundary.text.empty()) return refused("no boundary");
  return boundary;
}

}  // namespace headgate::guard::waf
