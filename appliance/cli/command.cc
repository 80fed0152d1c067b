// SPDX-License-Identifier: MIT
// What subcommands share about output.
#include "appliance/cli/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace headgate::cli {

void complain(std::string_view message) { fmt::print(stderr, "headgate: {}\n", message); }

bool wants_colour(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color != nullptr && *no_color != '\0') return false;
  return term != nullptr && std::string_view(term) != "dumb" && ::isatty(::fileno(stream)) == 1;
}

void print(const std::vector<schema::Diagnostic>& diagnostics) {
  for (const schema::Diagnostic& diagnostic : diagnostics) fmt::print("{}\n", diagnostic.text());
}

std::string count(const std::vector<schema::Diagnostic>& diagnostics) {
  const auto errors =
      std::count_if(diagnostics.begin(), diagnostics.end(), [](const auto& diagnostic) {
        return diagnostic.severity == schema::Diagnostic::Severity::Error;
      });
  const auto warnings = static_cast<std::ptrdiff_t>(diagnostics.size()) - errors;
  return fmt::format("{} {}, {} {}", errors, errors == 1 ? "error" : "errors", warnings,
                     warnings == 1 ? "warning" : "warnings");
}

}  // namespace headgate::cli
