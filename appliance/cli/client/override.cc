// SPDX-License-Identifier: MIT
// `headgate rollback`, `suspend` and `resume`: what an operator puts above the repository for a
// while.
#include <fmt/format.h>

#include <memory>

#include "appliance/cli/client/client.h"

namespace headgate::cli {
namespace {

struct Flags {
  std::string admin;
  std::uint64_t generation = 0;
  std::string how_long;
  std::string reason;
};

int override_by(const Flags& flags, const char* target, const Json& body) {
  const auto answer =
      tell(flags.admin, target, body.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!answer) {
    complain(answer.error().context);
    return kFailure;
  }
  fmt::print("{}\n", clean(text(*answer, "done")));
  return kOk;
}

int roll_back(const Flags& flags) {
  Json body = Json::object();
  if (flags.generation > 0) body["generation"] = flags.generation;
  if (!flags.reason.empty()) body["reason"] = flags.reason;
  return override_by(flags, "/rollback", body);
}

int suspend(const Flags& flags) {
  if (const auto good = parse_duration(flags.how_long); !good) {
    complain("--for: " + good.error().context);
    return kInvalid;
  }
  return override_by(flags, "/suspend", Json{{"for", flags.how_long}, {"reason", flags.reason}});
}

}  // namespace

void add_rollback(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(
      "rollback", "Go back to what was live before, until another commit comes.");
  command
      ->add_option("GENERATION", flags->generation,
                   "As `headgate status` lists them; without it, the newest of another commit.")
      ->check(CLI::PositiveNumber);
  add_flag_with_value(*command, "--reason", flags->reason, "For those who will ask.", "TEXT");
  add_admin_flag(*command, flags->admin);
  command->footer(
      "The old configuration goes live at once, from disk, under a new generation. What the cache "
      "got while the\n"
      "other commit served is purged; purges are not taken back. The other commit does not go live "
      "again by itself,\n"
      "also after a restart: another commit does, or `headgate resume`. Condition: RolledBack.\n\n"
      "Examples:\n"
      "  headgate rollback --reason 'checkout answers 500'\n"
      "  headgate rollback 41\n\n"
      "Exit codes: 0 done, 1 refused or no answer, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = roll_back(*flags); });
}

void add_suspend(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand("suspend", "Let no commit go live for a while.");
  add_flag_with_value(*command, "--for", flags->how_long, "How long, at most 30d.", "DURATION")
      ->required();
  add_flag_with_value(*command, "--reason", flags->reason, "For those who will ask.", "TEXT")
      ->required();
  add_admin_flag(*command, flags->admin);
  command->footer(
      "Commits are fetched and wait; urgent purges go on. It ends by itself, or by `headgate "
      "resume`, and is kept\n"
      "through restarts. Condition: Suspended.\n\n"
      "Example: headgate suspend --for 2h --reason 'sale'\n\n"
      "Exit codes: 0 done, 1 refused or no answer, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = suspend(*flags); });
}

void add_resume(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(
      "resume",
      "Follow the repository again: ends rollback, suspend, and the wait for a change window.");
  add_admin_flag(*command, flags->admin);
  command->footer("Exit codes: 0 done, 1 there was nothing to end, or no answer, 2 bad flags.");
  command->callback(
      [flags, exit_code] { *exit_code = override_by(*flags, "/resume", Json::object()); });
}

}  // namespace headgate::cli
