// SPDX-License-Identifier: MIT
// `headgate schema`: the JSON Schema of configuration files.
#include <fmt/format.h>

#include "appliance/cli/command.h"
#include "schema/reference/reference.h"

namespace headgate::cli {

void add_schema(CLI::App& program, int* exit_code) {
  CLI::App* command =
      program.add_subcommand("schema", "Print the JSON Schema of configuration files.");
  command->footer(
      "Editors check and complete YAML by it. For those that speak to yaml-language-server, save "
      "it and\n"
      "begin files with a line that names it:\n\n"
      "  headgate schema > headgate.schema.json\n"
      "  # yaml-language-server: $schema=headgate.schema.json\n\n"
      "It accepts a little more than `headgate validate`, which has the last word.");
  command->callback([exit_code] {
    fmt::print("{}", schema::json_schema());
    *exit_code = kOk;
  });
}

}  // namespace headgate::cli
