// SPDX-License-Identifier: MIT
// `headgate wait`: returns when a commit is live.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "appliance/cli/client/client.h"
#include "reconciler/source/repository.h"
#include "schema/base/units.h"

namespace headgate::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLooks{50};

struct Flags {
  std::string admin;
  std::string commit;
  std::string timeout = "60s";
  std::string repository = ".";
};

bool is_hex(const std::string& text) {
  return text.size() >= 4 && text.size() <= 40 &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The commit that is meant: a revision of the repository, or a hash (or its beginning) as it is.
Result<std::string> resolve(const Flags& flags) {
  if (const auto repository = reconciler::Repository::discover(flags.repository))
    if (auto commit = repository->resolve(flags.commit)) return commit;
  if (is_hex(flags.commit)) return flags.commit;
  return fail(Blame::Config,
              "--commit {}: no revision of the repository around {}, and no hash of 4 to 40 digits",
              clean(flags.commit), flags.repository);
}

bool was_applied(const Json& status, const std::string& commit) {
  const Json& history = list(status, "history");
  return std::any_of(history.begin(), history.end(), [&](const Json& activation) {
    return text(activation, "commit").starts_with(commit);
  });
}

bool is_staged(const Json& status, const std::string& commit) {
  const auto revisions = status.find("revisions");
  return revisions != status.end() && text(*revisions, "staged").starts_with(commit);
}

bool was_refused(const Json& status, const std::string& commit) {
  const auto refused = status.find("refused");
  return refused != status.end() && refused->is_object() &&
         text(*refused, "commit").starts_with(commit);
}

/// Where things stand, for whoever waited in vain.
std::string standing(const Json& status) {
  const auto found = status.find("revisions");
  const Json revisions = found != status.end() ? *found : Json::object();
  const std::string applied = text(revisions, "applied");
  const std::string desired = text(revisions, "desired");
  std::string line = applied.empty() ? "nothing serves yet" : applied.substr(0, 7) + " serves";
  const std::string staged = text(revisions, "staged");
  if (!staged.empty()) line += ", " + staged.substr(0, 7) + " serves a share of the viewers";
  if (!desired.empty() && desired != applied && desired != staged)
    line += ", " + desired.substr(0, 7) + " is wanted";
  if (const auto source = status.find("source");
      source != status.end() && !text(*source, "error").empty())
    line += ", the source cannot be read: " + clean(text(*source, "error"));
  return line;
}

int refused(const Json& status, const std::string& commit) {
  for (const Json& line : list(status, "diagnostics"))
    if (line.is_string()) fmt::print("{}\n", line.get<std::string>());
  complain(fmt::format("{} was refused; {}", commit.substr(0, 7), standing(status)));
  return kFailure;
}

int wait(const Flags& flags) {
  const auto timeout = parse_duration(flags.timeout);
  if (!timeout) {
    complain("--timeout: " + timeout.error().context);
    return kInvalid;
  }
  const auto commit = resolve(flags);
  if (!commit) {
    complain(commit.error().context);
    return kInvalid;
  }
  return wait_until_live(flags.admin, *commit, *timeout);
}

}  // namespace

int wait_until_live(const std::string& admin, const std::string& commit, Duration timeout,
                    bool or_staged) {
  const auto deadline = Clock::now() + timeout;
  std::string last = "no answer yet";
  while (true) {
    const auto answer = ask(admin, "/status");  // none yet: it may be starting
    if (answer && was_applied(*answer, commit)) {
      fmt::print("{} is live: {}\n", commit.substr(0, 7), standing(*answer));
      return kOk;
    }
    if (answer && or_staged && is_staged(*answer, commit)) {
      fmt::print("{} goes live by steps: {}\n", commit.substr(0, 7), standing(*answer));
      return kOk;
    }
    if (answer && was_refused(*answer, commit)) return refused(*answer, commit);
    last = answer ? standing(*answer) : answer.error().context;
    if (Clock::now() >= deadline) break;
    std::this_thread::sleep_for(std::min<Clock::duration>(kBetweenLooks, deadline - Clock::now()));
  }
  complain(fmt::format("{} is not live after {}; {}", commit.substr(0, 7), format_duration(timeout),
                       last));
  return kFailure;
}

void add_wait(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      program.add_subcommand("wait", "Return when a running appliance has applied a commit.");
  add_flag_with_value(*command, "--commit", flags->commit,
                      "A revision of --repo, or a hash or its beginning.", "REV")
      ->required();
  add_flag_with_value(*command, "--timeout", flags->timeout, "How long to wait.", "DURATION")
      ->capture_default_str();
  add_flag_with_value(*command, "--repo", flags->repository,
                      "The repository that REV is looked up in.", "PATH")
      ->capture_default_str();
  add_admin_flag(*command, flags->admin);
  command->footer(
      "A commit that has been live and was followed by another one counts. When the commit is "
      "refused, the\n"
      "diagnostics are printed at once.\n\n"
      "Example: git push && headgate wait --commit HEAD --timeout 30s\n\n"
      "Exit codes: 0 it is live, 1 it was refused or the time is over, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = wait(*flags); });
}

}  // namespace headgate::cli
