// SPDX-License-Identifier: MIT
// The program `headgate`: reads the command line and runs one subcommand.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "appliance/cli/command.h"

namespace {

using namespace headgate::cli;

/// 0, 1 and 2 must be taken: a pipe or listener with such a number would be written to by whoever
/// prints.
void ensure_standard_streams() {
  for (int fd = ::open("/dev/null", O_RDWR); fd >= 0; fd = ::open("/dev/null", O_RDWR))
    if (fd > STDERR_FILENO) {
      ::close(fd);
      return;
    }
}

void describe(CLI::App& program) {
  program.description("Headgate: a CDN edge that follows git.");
  program.set_version_flag("--version", "headgate " HEADGATE_VERSION, "The version.");
  program.set_help_flag("--help,-h", "What this does, and how.");
  program.require_subcommand(1);
  program.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  program.footer(
      "Every flag with a value has a variable: --cache-memory is HEADGATE_CACHE_MEMORY.\n"
      "Durations take ms, s, m, h and d; sizes KiB, MiB, GiB and TiB.\n\n"
      "Exit codes: 0 done, 1 failure (or differences, or not ready), 2 bad flags or "
      "configuration,\n"
      "3 an expectation fails.\n\n"
      "To begin:\n"
      "  headgate init site && cd site && git init -b main && git add . && git commit -m first\n"
      "  headgate run --source . --state /tmp/headgate --http 127.0.0.1:8080");
}

}  // namespace

int main(int argc, char** argv) {
  ensure_standard_streams();
  CLI::App program("", "headgate");
  int exit_code = kOk;
  describe(program);
  for (const auto add :
       {add_run,           add_validate,    add_verify,       add_diff,          add_test,
        add_explain,       add_status,      add_wait,         add_events,        add_audit,
        add_get,           add_purge,       add_warm,         add_rollback,      add_upgrade,
        add_factory_reset, add_suspend,     add_resume,       add_hook,          add_init,
        add_schema,        add_demo_origin, add_replay_cache, add_generate_trace})
    add(program, &exit_code);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);  // --help, --version
    const auto chosen = program.get_subcommands();
    complain(fmt::format("{} (headgate {}--help tells more)", error.what(),
                         chosen.empty() ? "" : chosen.front()->get_name() + " "));
    return kInvalid;
  }
  return exit_code;
}
