// SPDX-License-Identifier: MIT
// Checks on the source text of a YAML file.
#include "schema/yaml/source_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace headgate::schema {
namespace {

/// Octets of the well-formed UTF-8 sequence at `position`, 0 when there is none (Unicode 15, table
/// 3-7).
std::size_t utf8_length(std::string_view text, std::size_t position) {
  auto at = [&](std::size_t i) -> unsigned {
    return position + i < text.size() ? static_cast<unsigned char>(text[position + i]) : 0;
  };
  auto continues = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (first == 0xE0 && at(1) < 0xA0) return 0;  // overlong
    if (first == 0xED && at(1) > 0x9F) return 0;  // surrogates
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) > 0x8F) return 0;
    return continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<YamlProblem> check_octets(std::string_view text) {
  if (text.size() > kMaxFileOctets)
    return YamlProblem{
        Code::FileTooLarge,
        {},
        fmt::format("the file has {} octets, at most {} are read", text.size(), kMaxFileOctets),
        "split it: any file may hold resources"};
  for (std::size_t i = 0; i < text.size();) {
    auto octet = static_cast<unsigned char>(text[i]);
    bool allowed = octet == '\t' || octet == '\n' || octet == '\r';
    if ((octet < 0x20 && !allowed) || octet == 0x7F)
      return YamlProblem{
          Code::ControlCharacter, mark_at(text, i),
          octet == 0 ? std::string("the file contains a NUL octet")
                     : fmt::format("the file contains the control character 0x{:02x}", octet),
          "remove it, or write it as an escape in double quotes"};
    std::size_t length = utf8_length(text, i);
    if (length == 0)
      return YamlProblem{Code::NotUtf8, mark_at(text, i),
                         fmt::format("the octet 0x{:02x} is not UTF-8", octet),
                         "save the file as UTF-8"};
    i += length;
  }
  return std::nullopt;
}

std::size_t end_of_quoted(std::string_view text, std::size_t position) {
  std::size_t at = position;
  // A tag or anchor stands before its scalar, on the same line or an earlier one.
  while (at < text.size()) {
    char c = text[at];
    if (c == '!' || c == '&') {
      at = std::min(text.find_first_of(" \t\r\n", at), text.size());
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      ++at;
    } else {
      break;
    }
  }
  if (at >= text.size() || (text[at] != '"' && text[at] != '\'')) return position;
  const char quote = text[at++];
  for (; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      bool doubled = quote == '\'' && at + 1 < text.size() && text[at + 1] == quote;
      if (!doubled) return at + 1;
      ++at;
    }
  }
  return std::string_view::npos;
}

bool indented_with_tab(std::string_view text, std::size_t position) {
  position = std::min(position, text.size());
  std::size_t start = position == 0 ? 0 : text.rfind('\n', position - 1) + 1;
  for (std::size_t i = start; i < text.size() && (text[i] == ' ' || text[i] == '\t'); ++i)
    if (text[i] == '\t') return true;
  return false;
}

Mark mark_at(std::string_view text, std::size_t position) {
  position = std::min(position, text.size());
  Mark mark{1, 1};
  for (std::size_t i = 0; i < position; ++i) {
    if (text[i] == '\n') {
      ++mark.line;
      mark.column = 1;
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++mark.column;
    }
  }
  return mark;
}

}  // namespace headgate::schema
