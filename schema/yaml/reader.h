// SPDX-License-Identifier: MIT
// From the text of a file to its documents, or to what is wrong with it. The subset of YAML 1.2
// that leaves no doubt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/codes.h"
#include "schema/yaml/node.h"

namespace headgate::schema {

inline constexpr std::size_t kMaxFileOctets = std::size_t{1} << 20;
inline constexpr std::size_t kMaxDepth = 64;
inline constexpr std::size_t kMaxNodes = 200'000;

/// What the text of a file does wrong; the caller adds the file's name.
struct YamlProblem {
  Code code = Code::Syntax;
  Mark mark;
  std::string message;
  std::string hint;
};

struct YamlDocuments {
  std::vector<Node> documents;        ///< maps only; empty documents are left out
  std::vector<YamlProblem> problems;  ///< documents before the first syntax error are still there
};

/// Shape:  UTF-8 with or without BOM; `---` separates documents.
/// Errors: in `problems`; refused are anchors and aliases, duplicate keys, tags other than !!str
/// !!map !!seq, unterminated quotes, more
///         than 64 levels, 1 MiB or 200,000 values, documents that are no map, tabs as indentation,
///         invalid UTF-8, control characters.
/// Source: YAML 1.2.2 chapter 10.3 (core schema).
/// Threads: pure.
YamlDocuments read_yaml(std::string_view text);

}  // namespace headgate::schema
