// SPDX-License-Identifier: MIT
// Header fields as everybody here passes them: views, names in lower case (RFC 9110 section 5.1).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace headgate::http {

/// One field line. `name` is lower case; `value` has no surrounding white space.
struct Field {
  std::string_view name;
  std::string_view value;
};

using Fields = std::span<const Field>;

/// The first line named `name` (lower case), if any.
std::optional<std::string_view> find(Fields fields, std::string_view name);

bool equals_ignoring_case(std::string_view a, std::string_view b);

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
/// RFC 9110 section 5.6.2.
constexpr bool is_token_char(char c) {
  return is_alpha(c) || is_digit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool is_token(std::string_view text);
/// Without leading and trailing spaces and tabs.
std::string_view trim(std::string_view text);

/// Takes the next non-empty member off a comma-separated list, trimmed; a comma in a quoted string
/// does not split. RFC 9110 section 5.6.1.
bool next_list_member(std::string_view& rest, std::string_view& member);

/// Field lines that own their text, in one block of memory. Movable, not copied by accident.
class FieldBlock {
 public:
  FieldBlock() = default;
  /// Copies `fields`.
  explicit FieldBlock(Fields fields);

  Fields fields() const { return fields_; }
  /// Octets of memory, for accounting.
  std::size_t size_bytes() const { return text_size_ + fields_.capacity() * sizeof(Field); }

 private:
  std::unique_ptr<char[]> text_;
  std::size_t text_size_ = 0;
  std::vector<Field> fields_;
};

}  // namespace headgate::http
