// SPDX-License-Identifier: MIT
// RFC 8941 section 4.2: a recursive descent that gives up on the first wrong octet.
#include "appliance/http/structured.h"

#include <algorithm>
#include <utility>

namespace headgate::http {
namespace {

constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_key_start(char c) { return is_lower(c) || c == '*'; }
constexpr bool is_key_char(char c) {
  return is_key_start(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<std::vector<SfMember>> dictionary() {
    std::vector<SfMember> members;
    skip(" ");
    while (!rest_.empty()) {
      SfMember member;
      if (!key(member.key) || !member_value(member.value)) return std::nullopt;
      std::erase_if(members, [&](const SfMember& m) { return m.key == member.key; });
      // As many as RFC 8941 section 3.2 asks to support; the look-up of equal keys is not made for
      // more.
      if (members.size() == 1024) return std::nullopt;
      members.push_back(std::move(member));
      skip(" \t");
      if (rest_.empty()) return members;
      if (!take(',')) return std::nullopt;
      skip(" \t");
      if (rest_.empty()) return std::nullopt;  // a trailing comma
    }
    return std::nullopt;  // empty
  }

 private:
  bool at(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool take(char c) {
    if (!at(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip(std::string_view octets) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(octets), rest_.size()));
  }
  template <class Predicate>
  std::string_view take_while(Predicate predicate) {
    std::size_t n = 0;
    while (n < rest_.size() && predicate(rest_[n])) ++n;
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }

  bool key(std::string& out) {
    if (rest_.empty() || !is_key_start(rest_.front())) return false;
    out = take_while(is_key_char);
    return true;
  }

  bool member_value(SfValue& out) {
    out = true;
    if (take('=')) {
      if (at('(')) return inner_list(out);
      if (!bare_item(out)) return false;
    }
    return parameters();
  }

  bool inner_list(SfValue& out) {
    out = SfOther{};
    take('(');
    for (;;) {
      skip(" ");
      if (take(')')) return parameters();
      SfValue item;
      if (!bare_item(item) || !parameters()) return false;
      if (!at(' ') && !at(')')) return false;
    }
  }

  bool parameters() {
    while (take(';')) {
      skip(" ");
      std::string name;
      SfValue value;
      if (!key(name)) return false;
      if (take('=') && !bare_item(value)) return false;
    }
    return true;
  }

  bool bare_item(SfValue& out) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    if (c == '-' || is_digit(c)) return number(out);
    if (c == '"') return string(out);
    if (c == '?') return boolean(out);
    if (c == ':') return byte_sequence(out);
    if (!is_alpha(c) && c != '*') return false;
    out = SfToken{
        std::string(take_while([](char t) { return is_token_char(t) || t == ':' || t == '/'; }))};
    return true;
  }

  bool number(SfValue& out) {
    const bool negative = take('-');
    const std::string_view integer = take_while(is_digit);
    if (integer.empty() || integer.size() > 15) return false;
    if (take('.')) {
      const std::string_view fraction = take_while(is_digit);
      out = SfOther{};
      return integer.size() <= 12 && !fraction.empty() && fraction.size() <= 3;
    }
    std::int64_t value = 0;
    for (const char digit : integer) value = value * 10 + (digit - '0');
    out = negative ? -value : value;
    return true;
  }

  bool string(SfValue& out) {
    take('"');
    std::string text;
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') {
        out = std::move(text);
        return true;
      }
      if (c < 0x20 || c == 0x7f) return false;  // a negative char is not ASCII either
      if (c == '\\') {
        if (!at('"') && !at('\\')) return false;
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      text.push_back(c);
    }
    return false;
  }

  bool boolean(SfValue& out) {
    take('?');
    if (!at('0') && !at('1')) return false;
    out = rest_.front() == '1';
    rest_.remove_prefix(1);
    return true;
  }

  bool byte_sequence(SfValue& out) {
    take(':');
    take_while(
        [](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '='; });
    out = SfOther{};
    return take(':');
  }

  std::string_view rest_;
};

}  // namespace

void append_sf_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  }
  out.push_back('"');
}

bool is_sf_token(std::string_view text) {
  if (text.empty() || !(is_alpha(text.front()) || text.front() == '*')) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_token_char(c) || c == ':' || c == '/'; });
}

std::optional<std::vector<SfMember>> parse_sf_dictionary(Fields fields, std::string_view name) {
  std::string joined;
  std::string_view only;
  std::size_t lines = 0;
  for (const Field& field : fields) {
    if (field.name != name) continue;
    if (++lines == 1) {
      only = field.value;
      continue;
    }
    if (lines == 2) joined = only;
    joined.append(", ").append(field.value);
  }
  if (lines == 0) return std::nullopt;
  return Parser(lines == 1 ? only : std::string_view(joined)).dictionary();
}

}  // namespace headgate::http
