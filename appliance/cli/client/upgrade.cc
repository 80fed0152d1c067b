// SPDX-License-Identifier: MIT
// `headgate upgrade` and `headgate factory-reset`: what an operator may do with a machine of the
// appliance image.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "appliance/cli/client/client.h"

namespace headgate::cli {
namespace {

/// The admin listener gives a request ten seconds: slow lines take a piece, too.
constexpr std::size_t kPieceOctets = std::size_t{512} * 1024;

struct Flags {
  std::string admin;
  std::string what;
  bool now = false;
  bool yes = false;
};

bool is_url(const std::string& text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

/// Sends the file in pieces; how far it is, on a terminal.
Status send(const std::string& admin, const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return fail(Blame::Config, "{}: {}", path, std::strerror(errno));
  const auto size = static_cast<std::uint64_t>(file.tellg());
  if (size == 0) return fail(Blame::Config, "{} is empty", path);
  file.seekg(0);
  const bool tells = ::isatty(STDERR_FILENO) == 1;
  std::string piece;
  for (std::uint64_t offset = 0; offset < size; offset += piece.size()) {
    piece.resize(std::min<std::uint64_t>(kPieceOctets, size - offset));
    if (!file.read(piece.data(), static_cast<std::streamsize>(piece.size())))
      return fail(Blame::Config, "{} became shorter while it was read", path);
    const auto taken = tell(admin, fmt::format("/upgrade/file?offset={}", offset), piece);
    if (!taken) return tl::unexpected<Error>(taken.error());
    if (tells) fmt::print(stderr, "\r{} %", (offset + piece.size()) * 100 / size);
  }
  if (tells) fmt::print(stderr, "\n");
  return {};
}

int finish(const Result<Json>& answer) {
  if (!answer) {
    complain(answer.error().context);
    return kFailure;
  }
  fmt::print("{}\n", clean(text(*answer, "done")));
  return kOk;
}

int upgrade(const Flags& flags) {
  Json body{{"urgent", flags.now}};
  if (is_url(flags.what)) {
    body["from"] = flags.what;
  } else {
    if (const Status sent = send(flags.admin, flags.what); !sent) {
      complain(sent.error().context);
      return kFailure;
    }
    body["received"] = true;
  }
  return finish(
      tell(flags.admin, "/upgrade", body.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

int factory_reset(const Flags& flags) {
  if (!flags.yes) {
    complain(
        "the state, the cache, the journal and issued certificates of that machine would go: say "
        "--yes");
    return kInvalid;
  }
  return finish(tell(flags.admin, "/factory-reset", R"({"forget": "everything"})"));
}

}  // namespace

void add_upgrade(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(
      "upgrade", "Have a machine of the appliance image run another version.");
  command
      ->add_option("FILE-or-URL", flags->what,
                   "headgate_VERSION.upgrade: a file, which is sent, or where the machine fetches "
                   "it.")
      ->required();
  command->add_flag("--now", flags->now,
                    "Restart as soon as it is written: do not wait for a change window.");
  add_admin_flag(*command, flags->admin);
  command->footer(
      "The machine takes what a release signer of its image has signed, and only a newer version "
      "than the one that\n"
      "runs. It writes it into the slot that does not run, verifies what it has written, waits for "
      "a change window\n"
      "(`kind: Fleet`) and for the end of a suspension, and restarts. The new version stays when "
      "it comes up in good\n"
      "health: the edge is alive, and serves where it served before. Otherwise the machine goes "
      "back to the version\n"
      "before by itself, and says why. State and cache stay in either case.\n\n"
      "`headgate status` shows the slots and how far an upgrade is. Conditions: Upgrading; "
      "UpgradeFailed, with reason\n"
      "NotFetched, Refused or Reverted. Events: upgraded, upgradeFailed. `spec.version` of `kind: "
      "Fleet` does the same\n"
      "for every machine that follows the repository, by a commit.\n\n"
      "Examples:\n"
      "  headgate upgrade headgate_0.2.0.upgrade\n"
      "  headgate upgrade --now https://releases.example.com/headgate_0.2.0.upgrade\n\n"
      "Exit codes: 0 asked for, 1 refused or no answer, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = upgrade(*flags); });
}

void add_factory_reset(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(
      "factory-reset", "Have a machine of the appliance image forget everything.");
  command->add_flag("--yes", flags->yes, "That is meant.");
  add_admin_flag(*command, flags->admin);
  command->footer(
      "State, cache, journal, issued certificates and the machine's log go; the data partition is "
      "made anew when the\n"
      "machine restarts, which it does at once. The version that runs stays, and so does what the "
      "machine is configured\n"
      "by (SMBIOS, CIDATA, metadata): it follows its repository again, from the beginning. Disks "
      "that know TRIM are\n"
      "told that the old content is no longer needed; it is not overwritten.\n\n"
      "Example: headgate factory-reset --yes\n\n"
      "Exit codes: 0 asked for, 1 refused or no answer, 2 bad flags, or --yes is missing.");
  command->callback([flags, exit_code] { *exit_code = factory_reset(*flags); });
}

}  // namespace headgate::cli
