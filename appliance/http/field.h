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
