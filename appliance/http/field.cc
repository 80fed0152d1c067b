// SPDX-License-Identifier: MIT
// Field lines: look-up, and a copy that owns its text in one block.
#include "appliance/http/field.h"

#include <algorithm>
#include <cstring>

namespace headgate::http {

std::optional<std::string_view> find(Fields fields, std::string_view name) {
  for (const Field& field : fields)
    if (field.name == name) return field.value;
  return std::nullopt;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  return true;
}

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (!is_token_char(c)) return false;
  return true;
}

namespace {

/// Where the first member ends: at a comma outside of quotes. A quote that is never closed does not
/// quote: what comes after it must not be hidden. An escaped quote never opens, so that such a list
/// is still read in one go.
std::size_t end_of_member(std::string_view list) {
  std::size_t open = std::string_view::npos;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const bool quoted = open != std::string_view::npos;
    if (list[i] == '\\' && i + 1 < list.size() && (quoted || list[i + 1] == '"')) {
      ++i;
    } else if (list[i] == '"') {
      open = quoted ? std::string_view::npos : i;
    } else if (list[i] == ',' && !quoted) {
      return i;
    }
  }
  return open == std::string_view::npos ? list.size() : std::min(list.find(',', open), list.size());
}

}  // namespace

bool next_list_member(std::string_view& rest, std::string_view& member) {
  while (!rest.empty()) {
    const std::size_t end = end_of_member(rest);
    member = trim(rest.substr(0, end));
    rest.remove_prefix(end < rest.size() ? end + 1 : end);
    if (!member.empty()) return true;
  }
  return false;
}

FieldBlock::FieldBlock(Fields fields) {
  for (const Field& field : fields) text_size_ += field.name.size() + field.value.size();
  text_ = std::make_unique_for_overwrite<char[]>(text_size_);
  fields_.reserve(fields.size());
  char* out = text_.get();
  const auto copy = [&out](std::string_view text) {
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    const std::string_view copied(out, text.size());
    out += text.size();
    return copied;
  };
  for (const Field& field : fields) {
    const std::string_view name = copy(field.name);
    fields_.push_back({.name = name, .value = copy(field.value)});
  }
}

}  // namespace headgate::http
