// SPDX-License-Identifier: MIT
// A YAML value with where and how it was written: what the decoder reads and diagnostics point at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::schema {

/// Counted from 1, columns in characters; 0 means nowhere.
struct Mark {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t origin = 0;  ///< 0: the document's own file; n: the overlay's file n - 1
};

/// One value. Children of a map carry their key; keys are unique and plain or quoted text.
struct Node {
  enum class Kind { Null, Scalar, Sequence, Map };
  /// A plain scalar may mean a number or a boolean; a quoted or block one is text.
  enum class Style { Plain, Quoted };

  Kind kind = Kind::Null;
  Style style = Style::Plain;
  Mark mark;
  Mark key_mark;
  std::string key;
  std::string text;            ///< of a Scalar, escapes resolved
  std::vector<Node> children;  ///< of a Sequence or Map, in the order written

  bool is_map() const { return kind == Kind::Map; }
  bool is_sequence() const { return kind == Kind::Sequence; }
  bool is_plain() const { return kind == Kind::Scalar && style == Style::Plain; }

  /// The child with that key; null when there is none or this is no map.
  const Node* find(std::string_view wanted) const;
  /// Down a path of keys and indices, "spec.cacheBehaviors.2.targetOriginId", as far as it goes:
  /// the node itself at worst.
  const Node& locate(std::string_view path) const;
};

/// What a plain scalar means by YAML 1.2's core schema; "NO" and "yes" are text.
enum class Plain { Text, Boolean, Integer, Float, Null };
Plain plain_meaning(std::string_view text);

/// "a map", "a list", "the number 5", "the text \"x\"", … for diagnostics.
std::string describe(const Node& node);

}  // namespace headgate::schema
