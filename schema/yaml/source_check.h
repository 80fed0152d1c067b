// SPDX-License-Identifier: MIT
// What yaml-cpp does not look at: the octets of a file, its quotes and its indentation.
#pragma once

#include <optional>
#include <string_view>

#include "schema/yaml/reader.h"

namespace headgate::schema {

/// The first problem of the octets: size, UTF-8, control characters.
std::optional<YamlProblem> check_octets(std::string_view text);

/// Where a quoted scalar that starts at or after `position` (properties such as tags may precede
/// it) ends: the offset behind its closing quote. npos when it is never closed; `position` itself
/// when no quote is there (a block scalar).
std::size_t end_of_quoted(std::string_view text, std::size_t position);

/// Whether the line that `position` is in is indented with a tab.
bool indented_with_tab(std::string_view text, std::size_t position);

/// Line and column of an octet, from 1; columns in characters.
Mark mark_at(std::string_view text, std::size_t position);

}  // namespace headgate::schema
