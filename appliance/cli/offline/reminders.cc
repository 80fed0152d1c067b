// SPDX-License-Identifier: MIT
// What a configuration may be rid of, by the history of its repository.
#include "appliance/cli/offline/reminders.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "reconciler/process/process.h"
#include "reconciler/source/repository.h"
#include "schema/codes.h"

namespace headgate::cli {
namespace {

constexpr Duration kGitDeadline = std::chrono::seconds(60);

/// File → when the newest commit that added it was made.
using Ages = std::map<std::string, Timestamp>;

/// Lines of `git log --name-only --format=@%ct`.
Ages parse(std::string_view log) {
  Ages ages;
  Timestamp commit{};
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    if (line.starts_with('@')) {
      std::int64_t seconds = 0;
      std::from_chars(line.data() + 1, line.data() + line.size(), seconds);
      commit = Timestamp(std::chrono::seconds(seconds));
    } else if (!line.empty()) {
      ages.emplace(line, commit);  // the first one is the newest
    }
  }
  return ages;
}

Result<Ages> ages_of(const std::vector<std::string>& files, const std::string& what) {
  std::error_code error;
  const bool is_folder = std::filesystem::exists(what, error);
  reconciler::Command command;
  command.argv = {"git",
                  "-C",
                  is_folder ? what : ".",
                  "-c",
                  "core.quotePath=false",
                  "log",
                  "--diff-filter=A",
                  "--no-renames",
                  "--format=@%ct",
                  "--name-only"};
  // Names are below the folder, or below the root of the repository that the revision is of.
  if (is_folder) command.argv.emplace_back("--relative");
  command.argv.emplace_back("--end-of-options");
  command.argv.push_back(is_folder ? "HEAD" : what);
  command.argv.emplace_back("--");
  for (const std::string& file : files)
    command.argv.push_back((is_folder ? ":(literal)" : ":(top,literal)") + file);
  for (char** variable = environ; *variable != nullptr; ++variable)
    command.environment.emplace_back(*variable);
  command.deadline = kGitDeadline;
  command.max_output_bytes = std::size_t{16} << 20;
  HG_TRY(const reconciler::Outcome outcome, reconciler::run_process(command, nullptr), "git");
  if (!outcome.ok())
    return fail(Blame::Self, "the age of invalidations is not known: git log: {}", outcome.errors);
  return parse(outcome.output);
}

}  // namespace

Result<std::vector<schema::Diagnostic>> expired_invalidations(const schema::Model& model,
                                                              const std::string& what,
                                                              Timestamp now) {
  std::vector<std::string> files;
  for (const auto& [id, invalidation] : model.invalidations)
    if (invalidation->ttl) files.push_back(invalidation->file);
  std::vector<schema::Diagnostic> expired;
  std::error_code error;
  const auto around =
      reconciler::Repository::discover(std::filesystem::exists(what, error) ? what : ".");
  // Nothing is known of a repository without a commit, either.
  if (files.empty() || !around || !around->resolve("HEAD")) return expired;
  HG_TRY(const Ages ages, ages_of(files, what), "looking for what may go");
  for (const auto& [id, invalidation] : model.invalidations) {
    const auto added = ages.find(invalidation->file);
    if (!invalidation->ttl || added == ages.end()) continue;
    const Timestamp over =
        std::max(added->second, invalidation->not_before.value_or(added->second)) +
        *invalidation->ttl;
    if (now < over) continue;
    expired.push_back({invalidation->file, invalidation->ttl_line, invalidation->ttl_column,
                       schema::Diagnostic::Severity::Warning,
                       static_cast<int>(schema::Code::InvalidationExpired),
                       fmt::format("the ttl of {} was over on {}: its file is of no more use", id,
                                   format_timestamp(over).substr(0, 10)),
                       "remove it: what it did stays done, on every edge that has seen it"});
  }
  return expired;
}

}  // namespace headgate::cli
