// SPDX-License-Identifier: MIT
// What the tables of fields say, for editors and for people.
#pragma once

#include <string>

namespace headgate::schema {

/// JSON Schema, draft 7 (what yaml-language-server reads), of any document: `headgate schema`.
/// Pretty-printed, ends with a newline.
std::string json_schema();

/// A chapter a kind with an example that loads, its fields, and those of the maps within.
std::string reference_markdown();

}  // namespace headgate::schema
