// SPDX-License-Identifier: MIT
// As much XML as CloudFront's API uses: elements and text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/base/result.h"

namespace headgate::admin {

struct XmlElement {
  std::string name;  ///< without prefix
  std::string text;  ///< its own, references resolved
  std::vector<XmlElement> children;

  /// The first child of that name, or null.
  const XmlElement* find(std::string_view child) const;
};

/// The root of a document. Attributes and comments are skipped; a DOCTYPE, CDATA and processing
/// instructions are refused, as are more than 8 levels and 10,000 elements. Errors: Blame::Client
/// with what is wrong. Threads: pure.
Result<XmlElement> parse_xml(std::string_view text);

/// `text` as the content of an element. Characters that no XML can hold become U+FFFD.
std::string escape_xml(std::string_view text);

}  // namespace headgate::admin
