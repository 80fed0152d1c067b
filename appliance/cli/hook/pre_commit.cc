// SPDX-License-Identifier: MIT
// `headgate hook pre-commit`: what is about to be committed, as edges would see it.
#include <fmt/format.h>
#include <unistd.h>

#include "appliance/cli/command.h"
#include "appliance/cli/hook/hooks.h"
#include "appliance/cli/offline/configuration.h"
#include "reconciler/process/process.h"
#include "schema/text.h"

namespace headgate::cli {
namespace {

constexpr Duration kGitDeadline = std::chrono::seconds(60);

/// The tree that the commit would have: git's, as only git knows which index a commit uses.
Result<std::string> staged_tree() {
  reconciler::Command command;
  command.argv = {"git", "write-tree"};
  for (char** variable = environ; *variable != nullptr; ++variable)
    command.environment.emplace_back(*variable);
  command.deadline = kGitDeadline;
  HG_TRY(const reconciler::Outcome outcome, reconciler::run_process(command, nullptr),
         "git write-tree");
  if (!outcome.ok())
    return fail(Blame::Config, "git write-tree: {}", schema::escape_control(outcome.errors));
  return outcome.output.substr(0, outcome.output.find('\n'));
}

Result<reconciler::Staged<reconciler::Prepared>> load_staged(schema::Layout layout) {
  HG_TRY(const std::string id, staged_tree(), "what is staged");
  HG_TRY(const auto repository, reconciler::Repository::discover("."), "this folder");
  HG_TRY(const auto tree, repository.tree(id), "what is staged");
  if (Status good = check(layout); !good) return tl::unexpected<Error>(std::move(good.error()));
  tree->set_layout(std::move(layout));
  schema::Loader loader;
  HG_TRY(auto staged, load_configuration(loader, *tree, ""), "what is staged");
  if (staged) staged = reconciler::test(std::move(*staged));
  return staged;
}

int pre_commit(const schema::Layout& layout) {
  const auto staged = load_staged(layout);
  if (!staged) {
    complain(staged.error().context);
    return kFailure;
  }
  const auto& diagnostics = *staged ? (*staged)->diagnostics : staged->error().diagnostics;
  print(diagnostics);
  if (*staged) return kOk;
  complain(fmt::format("no edge would apply this ({}): git commit --no-verify commits it anyway",
                       count(diagnostics)));
  return kFailure;
}

}  // namespace

void add_pre_commit(CLI::App& hooks, int* exit_code) {
  CLI::App* command =
      hooks.add_subcommand("pre-commit", "Refuse to commit a configuration that is not valid.");
  const auto layout = std::make_shared<schema::Layout>();
  add_layout_flags(*command, *layout);
  command->footer(
      "Put `exec headgate hook pre-commit` into .git/hooks/pre-commit. What is staged is "
      "validated, "
      "not what lies\n"
      "in the folder, and its expectations are run.\n\n"
      "Exit codes: 0 good, 1 not.");
  command->callback([layout, exit_code] { *exit_code = pre_commit(*layout); });
}

void add_hook(CLI::App& program, int* exit_code) {
  CLI::App* hooks = program.add_subcommand("hook", "What git runs: pre-commit, pre-receive, …");
  hooks->require_subcommand(1);
  add_pre_commit(*hooks, exit_code);
  add_receive_hooks(*hooks, exit_code);
}

}  // namespace headgate::cli
