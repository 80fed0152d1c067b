// SPDX-License-Identifier: MIT
// `headgate validate` and `headgate test`: what is wrong with a configuration, before anybody
// follows it.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "appliance/base/time.h"
#include "appliance/cli/command.h"
#include "appliance/cli/offline/configuration.h"
#include "appliance/cli/offline/reminders.h"

namespace headgate::cli {
namespace {

struct Flags {
  std::string what = ".";
  std::string geoip;
  schema::Layout layout;
};

/// The configuration, or nothing after everything that is wrong was printed.
std::optional<reconciler::Prepared> load(const Flags& flags) {
  const auto tree = open_tree(flags.what, ".", flags.layout);
  if (!tree) {
    complain(tree.error().context);
    return std::nullopt;
  }
  schema::Loader loader;
  auto loaded = load_configuration(loader, **tree, flags.geoip);
  if (!loaded) {
    complain(loaded.error().context);
    return std::nullopt;
  }
  if (!*loaded) {
    const auto& diagnostics = loaded->error().diagnostics;
    print(diagnostics);
    fmt::print("{}: invalid: {}\n", flags.what, count(diagnostics));
    return std::nullopt;
  }
  return std::move(**loaded);
}

int validate(const Flags& flags) {
  auto prepared = load(flags);
  if (!prepared) return kInvalid;
  const auto expired = expired_invalidations(*prepared->model, flags.what, base::wall_now());
  if (!expired) complain(expired.error().context);
  if (expired)
    prepared->diagnostics.insert(prepared->diagnostics.end(), expired->begin(), expired->end());
  print(prepared->diagnostics);
  const std::string warnings =
      prepared->diagnostics.empty() ? "" : ", " + count(prepared->diagnostics);
  fmt::print("{}: valid: {} distributions in {} files{}\n", flags.what,
             prepared->model->distributions.size(), prepared->files.size(), warnings);
  return kOk;
}

int test(const Flags& flags) {
  const auto prepared = load(flags);
  if (!prepared) return kInvalid;
  std::size_t cases = 0;
  const auto failures = reconciler::failed_expectations(*prepared->configuration, &cases);
  print(failures);
  if (cases == 0) fmt::print("{}: no kind: Expect, so nothing was tested\n", flags.what);
  if (failures.empty()) {
    if (cases > 0) fmt::print("{}: all {} expectations hold\n", flags.what, cases);
    return kOk;
  }
  fmt::print("{}: {} of {} expectations fail\n", flags.what, failures.size(), cases);
  return kTestsFailed;
}

std::shared_ptr<Flags> add_flags(CLI::App& command) {
  auto flags = std::make_shared<Flags>();
  command
      .add_option("what", flags->what,
                  "A folder, or a revision of the git repository in this folder.")
      ->type_name("PATH-or-REV")
      ->take_last()
      ->capture_default_str();
  add_layout_flags(command, flags->layout);
  add_flag_with_value(command, "--geoip", flags->geoip, "Country database (MMDB).", "FILE");
  return flags;
}

}  // namespace

void add_validate(CLI::App& program, int* exit_code) {
  CLI::App* command =
      program.add_subcommand("validate", "Say everything that is wrong with a configuration.");
  const auto flags = add_flags(*command);
  command->footer(
      "Every diagnostic goes to standard output as file:line:column: error: [HG1201] …, with a "
      "hint, all at\n"
      "once. What git ignores is not read. No daemon, network, secret or privilege is needed.\n\n"
      "Examples:\n"
      "  headgate validate            the folder that you are in\n"
      "  headgate validate HEAD~1     the commit before the last\n"
      "  headgate validate --path edge --overlay prod\n"
      "                               what an edge sees that is told so\n\n"
      "Exit codes: 0 valid, 2 invalid or unreadable.");
  command->callback([flags, exit_code] { *exit_code = validate(*flags); });
}

void add_test(CLI::App& program, int* exit_code) {
  CLI::App* command =
      program.add_subcommand("test", "Run the `kind: Expect` cases of a configuration.");
  const auto flags = add_flags(*command);
  command->footer(
      "Each case is decided as a running edge would decide it; nothing is fetched. A failing case "
      "is printed\n"
      "with its file and line, what was expected and what came. Edges run the same cases before a "
      "commit goes\n"
      "live.\n\n"
      "Examples:\n"
      "  headgate test\n"
      "  headgate test origin/main --geoip /var/lib/GeoIP/country.mmdb\n\n"
      "Exit codes: 0 all hold, 2 the configuration is invalid, 3 a case fails.");
  command->callback([flags, exit_code] { *exit_code = test(*flags); });
}

}  // namespace headgate::cli
