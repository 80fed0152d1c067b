// SPDX-License-Identifier: MIT
// Look-ups in a tree of nodes, and the meaning of plain scalars.
#include "schema/yaml/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "schema/text.h"

namespace headgate::schema {
namespace {

bool all(std::string_view text, bool (*accepts)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), accepts);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_octal(char c) { return c >= '0' && c <= '7'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  auto digits = [&text] {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) ++count;
    text.remove_prefix(count);
    return count;
  };
  auto sign = [&text] {
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  };
  sign();
  if (text == ".inf" || text == ".Inf" || text == ".INF") return true;
  std::size_t whole = digits();
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  sign();
  return digits() > 0 && text.empty();
}

}  // namespace

const Node* Node::find(std::string_view wanted) const {
  if (!is_map()) return nullptr;
  for (const Node& child : children)
    if (child.key == wanted) return &child;
  return nullptr;
}

const Node& Node::locate(std::string_view path) const {
  const Node* node = this;
  while (!path.empty()) {
    std::string_view step = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), step.size() + 1));
    const Node* next = node->find(step);
    if (node->is_sequence()) {
      std::size_t index = 0;
      auto [rest, error] = std::from_chars(step.data(), step.data() + step.size(), index);
      if (error == std::errc{} && index < node->children.size()) next = &node->children[index];
    }
    if (next == nullptr) return *node;
    node = next;
  }
  return *node;
}

Plain plain_meaning(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return Plain::Null;
  for (std::string_view word : {"true", "True", "TRUE", "false", "False", "FALSE"})
    if (text == word) return Plain::Boolean;
  std::string_view digits = text;
  if (digits[0] == '-' || digits[0] == '+') digits.remove_prefix(1);
  if (all(digits, is_digit)) return Plain::Integer;
  if (text.starts_with("0o") && all(text.substr(2), is_octal)) return Plain::Integer;
  if (text.starts_with("0x") && all(text.substr(2), is_hex)) return Plain::Integer;
  if (text == ".nan" || text == ".NaN" || text == ".NAN" || is_float(text)) return Plain::Float;
  return Plain::Text;
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::Null:
      return "nothing";
    case Node::Kind::Sequence:
      return "a list";
    case Node::Kind::Map:
      return "a map";
    case Node::Kind::Scalar:
      break;
  }
  if (node.style == Node::Style::Quoted) return fmt::format("the text {}", in_quotes(node.text));
  switch (plain_meaning(node.text)) {
    case Plain::Boolean:
      return fmt::format("the boolean {}", node.text);
    case Plain::Integer:
    case Plain::Float:
      return fmt::format("the number {}", escape_control(node.text.substr(0, 40)));
    case Plain::Null:
      return "nothing";
    case Plain::Text:
      break;
  }
  return in_quotes(node.text);
}

}  // namespace headgate::schema
