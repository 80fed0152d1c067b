// SPDX-License-Identifier: MIT
// `headgate verify`: whether edges would take commits, by who signed them, before they are pushed.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/cli/command.h"
#include "reconciler/trust/machine.h"
#include "reconciler/trust/verifier.h"
#include "schema/text.h"

namespace headgate::cli {
namespace {

struct Flags {
  std::string range = "@{upstream}..HEAD";
  std::string repository = ".";
  schema::EdgeVerify verify;
  bool json = false;
};

Result<reconciler::Verdict> judge(const Flags& flags) {
  HG_TRY(const auto repository, reconciler::Repository::discover(flags.repository), "--repo");
  HG_TRY(auto machine, reconciler::read_machine_policy(flags.verify), "verify");
  reconciler::Verifier verifier(repository, std::move(machine));
  const std::size_t dots = flags.range.find("..");
  if (dots == std::string::npos) {
    HG_TRY(const std::string head, repository.resolve(flags.range), "verify");
    return verifier.verify_first(head);
  }
  const std::string after = flags.range.substr(dots + 2);
  HG_TRY(const std::string base, repository.resolve(flags.range.substr(0, dots)), "verify");
  HG_TRY(const std::string head, repository.resolve(after.empty() ? "HEAD" : after), "verify");
  // As an edge would that has `base` live.
  return verifier.verify({base, "", ""}, head);
}

void print_json(const reconciler::Verdict& verdict) {
  nlohmann::ordered_json json;
  json["verified"] = verdict.good();
  json["reason"] = nullptr;
  if (!verdict.good())
    json["reason"] =
        reconciler::reason_of(static_cast<schema::Code>(verdict.diagnostics.front().code));
  json["commits"] = verdict.commits;
  json["signers"] = verdict.signers;
  json["diagnostics"] = nlohmann::ordered_json::array();
  for (const auto& diagnostic : verdict.diagnostics)
    json["diagnostics"].push_back(diagnostic.text());
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

int verify(const Flags& flags) {
  const auto verdict = judge(flags);
  if (!verdict) {
    complain(verdict.error().context);
    return kInvalid;
  }
  if (flags.json) {
    print_json(*verdict);
  } else {
    print(verdict->diagnostics);
    if (verdict->good())
      fmt::print("{}: verified: {} commits{}\n", flags.range, verdict->commits,
                 verdict->signers.empty() ? "" : ", signed by " + schema::join(verdict->signers));
    else
      fmt::print("{}: no edge that verifies would apply this: {}\n", flags.range,
                 count(verdict->diagnostics));
  }
  return verdict->good() ? kOk : kTestsFailed;
}

}  // namespace

void add_verify(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      program.add_subcommand("verify", "Say whether commits are signed by who may make them.");
  command
      ->add_option("range", flags->range,
                   "A..B: what B adds to A, by the signers.yaml of each commit before. A: as the "
                   "first commit of an edge.")
      ->type_name("A..B")
      ->capture_default_str();
  add_flag_with_value(*command, "--repo", flags->repository, "The configuration repository.",
                      "PATH")
      ->capture_default_str();
  add_verify_flags(*command, flags->verify.allowed_signers, flags->verify.openpgp_keyring);
  command->add_flag("--json", flags->json, "For machines.");
  command->footer(
      "Judges as an edge does that has A live and is asked to go to B. The signers that count "
      "are those of\n"
      "A's signers.yaml; where there is none, those of --allowed-signers and --openpgp-keyring.\n\n"
      "Examples:\n"
      "  headgate verify                                   what you are about to push\n"
      "  headgate verify origin/main..HEAD --repo site     the same, elsewhere\n"
      "  headgate verify HEAD --allowed-signers trusted    whether a new edge would begin with "
      "it\n\n"
      "Exit codes: 0 verified, 2 unreadable, 3 refused.");
  command->callback([flags, exit_code] { *exit_code = verify(*flags); });
}

}  // namespace headgate::cli
