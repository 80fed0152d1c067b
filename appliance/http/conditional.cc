// SPDX-License-Identifier: MIT
// If-None-Match, If-Modified-Since, Range and If-Range, answered from a stored response.
#include "appliance/http/conditional.h"

#include <algorithm>

#include "appliance/http/caching.h"

namespace headgate::http {
namespace {

bool is_weak(std::string_view tag) { return tag.starts_with("W/"); }
std::string_view opaque(std::string_view tag) { return is_weak(tag) ? tag.substr(2) : tag; }
bool is_entity_tag(std::string_view tag) {
  const std::string_view quoted = opaque(tag);
  return quoted.size() >= 2 && quoted.front() == '"' && quoted.back() == '"' &&
         quoted.find('"', 1) == quoted.size() - 1;
}

/// Takes one entity-tag off a list. Not next_list_member: a backslash does not escape in an
/// entity-tag (RFC 9110 section 8.8.3).
bool next_entity_tag(std::string_view& rest, std::string_view& tag) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t,"), rest.size()));
  if (rest.empty()) return false;
  const std::size_t open = rest.starts_with("W/") ? 2 : 0;
  std::size_t end = rest.find(',');
  if (rest.size() > open && rest[open] == '"') {
    const std::size_t close = rest.find('"', open + 1);
    end = close == std::string_view::npos ? rest.size() : close + 1;
  }
  tag = trim(rest.substr(0, end));
  rest.remove_prefix(std::min(end, rest.size()));
  return true;
}

bool any_matches_weakly(std::string_view list, const std::optional<std::string_view>& stored_tag) {
  if (trim(list) == "*") return true;
  if (!stored_tag) return false;
  std::string_view tag;
  while (next_entity_tag(list, tag))
    if (is_entity_tag(tag) && opaque(tag) == opaque(*stored_tag)) return true;
  return false;
}

/// Exactly one line named `name`.
std::optional<std::string_view> find_only(Fields fields, std::string_view name) {
  std::optional<std::string_view> found;
  for (const Field& field : fields) {
    if (field.name != name) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

/// Section 8.8.2.2: Last-Modified is a strong validator when it is at least a second older than the
/// response.
bool has_strong_date(Fields stored) {
  const auto last_modified = parse_http_date(find_only(stored, "last-modified").value_or(""));
  const auto date = parse_http_date(find_only(stored, "date").value_or(""));
  return last_modified && date && *last_modified + std::chrono::seconds(1) <= *date;
}

/// Section 13.1.5: true when the request's If-Range names the stored representation, by a strong
/// validator.
bool if_range_holds(Fields request, Fields stored) {
  if (!find(request, "if-range")) return true;
  const auto condition = find_only(request, "if-range");
  if (!condition) return false;
  if (condition->starts_with('"') || is_weak(*condition)) {
    const auto tag = find(stored, "etag");
    return tag && !is_weak(*condition) && is_entity_tag(*condition) && *tag == *condition;
  }
  const auto date = parse_http_date(*condition);
  const auto last_modified = parse_http_date(find(stored, "last-modified").value_or(""));
  return date && last_modified && *date == *last_modified && has_strong_date(stored);
}

/// Digits only; saturates, since a position beyond any length is as good as any other.
std::optional<std::uint64_t> parse_position(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
  }
  return value;
}

RangeVerdict evaluate_spec(std::string_view spec, std::uint64_t length, ByteRange& range) {
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return RangeVerdict::Ignore;
  const std::string_view left = spec.substr(0, dash);
  const std::string_view right = spec.substr(dash + 1);
  if (left.empty()) {
    const auto suffix = parse_position(right);
    if (!suffix) return RangeVerdict::Ignore;
    if (*suffix == 0) return RangeVerdict::Unsatisfiable;
    // Satisfiable by section 14.1.2, but no Content-Range can express a part of nothing.
    if (length == 0) return RangeVerdict::Ignore;
    range = {.first = length - std::min(length, *suffix), .last = length - 1};
    return RangeVerdict::Satisfiable;
  }
  const auto first = parse_position(left);
  const auto last =
      right.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : parse_position(right);
  if (!first || !last || *last < *first) return RangeVerdict::Ignore;
  if (*first >= length) return RangeVerdict::Unsatisfiable;
  range = {.first = *first, .last = std::min(*last, length - 1)};
  return RangeVerdict::Satisfiable;
}

/// Adds a part; those that it overlaps or touches become one with it, in the place of the first.
void add_part(ByteRanges& ranges, ByteRange part) {
  const auto touches = [&part](const ByteRange& other) {
    return part.first <= other.last + 1 && other.first <= part.last + 1;
  };
  std::size_t place = ranges.count;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < ranges.count; ++i) {
    const ByteRange other = ranges.parts[i];
    if (!touches(other)) {
      ranges.parts[kept++] = other;
      continue;
    }
    if (place == ranges.count) place = kept++;  // the first that it touches: its place
    part = {.first = std::min(part.first, other.first), .last = std::max(part.last, other.last)};
    ranges.parts[place] = part;
  }
  if (place == ranges.count) {
    ranges.parts[kept++] = part;
  }
  ranges.count = kept;
}

}  // namespace

bool matches_weakly(std::string_view tag, std::string_view other) {
  return opaque(tag) == opaque(other);
}

bool is_not_modified(Fields request, Fields stored) {
  if (find(request, "if-none-match")) {
    const auto tag = find(stored, "etag");
    return std::any_of(request.begin(), request.end(), [&](const Field& field) {
      return field.name == "if-none-match" && any_matches_weakly(field.value, tag);
    });
  }
  const auto since = parse_http_date(find_only(request, "if-modified-since").value_or(""));
  if (!since) return false;
  // RFC 9111 section 4.3.2: without Last-Modified, Date stands in.
  auto modified = parse_http_date(find(stored, "last-modified").value_or(""));
  if (!modified) modified = parse_http_date(find(stored, "date").value_or(""));
  return modified && *modified <= *since;
}

RangeVerdict evaluate_range(Fields request, Fields stored, std::uint64_t length,
                            ByteRanges& ranges) {
  ranges.count = 0;
  const auto value = find_only(request, "range");
  if (!value) return RangeVerdict::Ignore;
  const std::size_t equals = value->find('=');
  if (equals == std::string_view::npos || !equals_ignoring_case(value->substr(0, equals), "bytes"))
    return RangeVerdict::Ignore;
  std::string_view rest = value->substr(equals + 1);
  std::string_view spec;
  std::size_t asked = 0;
  while (next_list_member(rest, spec)) {
    ByteRange range;
    if (++asked > ByteRanges::kMax) return RangeVerdict::Ignore;
    const RangeVerdict verdict = evaluate_spec(spec, length, range);
    if (verdict == RangeVerdict::Ignore) return verdict;
    if (verdict == RangeVerdict::Satisfiable) add_part(ranges, range);
  }
  if (asked == 0 || !if_range_holds(request, stored)) return RangeVerdict::Ignore;
  return ranges.count > 0 ? RangeVerdict::Satisfiable : RangeVerdict::Unsatisfiable;
}

std::optional<std::string_view> strong_validator(Fields response) {
  const auto tag = find_only(response, "etag");
  if (tag && !is_weak(*tag) && is_entity_tag(*tag)) return tag;
  if (find(response, "etag") || !has_strong_date(response)) return std::nullopt;
  return find_only(response, "last-modified");
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  if (value.size() < 6 || !equals_ignoring_case(value.substr(0, 6), "bytes ")) return std::nullopt;
  const std::string_view text = trim(value.substr(6));
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash)
    return std::nullopt;
  const auto first = parse_position(text.substr(0, dash));
  const auto last = parse_position(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first || *last == UINT64_MAX) return std::nullopt;
  ContentRange result{.range = {.first = *first, .last = *last}, .complete = 0};
  const std::string_view complete = text.substr(slash + 1);
  if (complete == "*") return result;
  const auto length = parse_position(complete);
  if (!length || *length <= *last) return std::nullopt;
  result.complete = *length;
  return result;
}

}  // namespace headgate::http
