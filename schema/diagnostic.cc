// SPDX-License-Identifier: MIT
// Diagnostics as lines of text that no content of a repository can break out of.
#include "schema/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/text.h"

namespace headgate::schema {

std::string Diagnostic::text() const {
  std::string where = escape_control(file);
  if (line > 0) where += fmt::format(":{}:{}", line, std::max(column, 1));
  std::string out =
      fmt::format("{}: {}: [HG{:04}] {}", where, severity == Severity::Error ? "error" : "warning",
                  code, escape_control(message));
  if (!hint.empty()) out += fmt::format("\n  hint: {}", escape_control(hint));
  return out;
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& diagnostic) {
    return diagnostic.severity == Diagnostic::Severity::Error;
  });
}

}  // namespace headgate::schema
