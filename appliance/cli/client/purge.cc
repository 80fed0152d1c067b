// SPDX-License-Identifier: MIT
// `headgate purge`: an invalidation without a commit, or the commit that would bring it.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <thread>

#include "appliance/base/time.h"
#include "appliance/cli/client/client.h"
#include "reconciler/process/process.h"
#include "reconciler/source/repository.h"
#include "schema/base/units.h"
#include "schema/files/document.h"
#include "schema/text.h"

namespace headgate::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLooks{100};
constexpr Duration kGitDeadline = std::chrono::seconds(60);

struct Flags {
  std::string admin;
  std::string distribution;
  std::vector<std::string> paths;
  std::vector<std::string> tags;
  std::vector<std::string> hosts;
  std::vector<std::string> content_types;
  std::vector<std::string> statuses;
  std::string stored_before;
  std::string fetched_under;
  std::string behavior;
  std::string mode;
  std::string retain_for;
  std::string undo;
  std::string id;
  std::string timeout = "60s";
  std::string repository = ".";
  bool wait = false;
  bool commit = false;
  bool dry_run = false;
  bool json = false;
};

/// A text in double quotes: JSON's quotes are YAML's too.
std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string quoted_list(const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  for (const std::string& text : texts) items.push_back(quoted(text));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::string make_id() {
  std::string moment = format_timestamp(base::wall_now()).substr(0, 19);
  std::erase_if(moment, [](char c) { return c == '-' || c == ':'; });
  return fmt::format("purge-{}-{:08x}", moment, std::random_device{}());
}

/// A document as it would stand in the repository.
std::string document(const Flags& flags) {
  std::string select;
  const auto add = [&select](const char* name, const std::string& value) {
    if (!value.empty()) select += fmt::format("    {}: {}\n", name, value);
  };
  const auto add_list = [&add](const char* name, const std::vector<std::string>& values) {
    if (!values.empty()) add(name, quoted_list(values));
  };
  const auto text = [](const std::string& value) { return value.empty() ? "" : quoted(value); };
  add_list("paths", flags.paths);
  add_list("tags", flags.tags);
  add_list("hosts", flags.hosts);
  add_list("contentTypes", flags.content_types);
  if (!flags.statuses.empty())
    add("statusCodes", fmt::format("[{}]", fmt::join(flags.statuses, ", ")));
  add("storedBefore", text(flags.stored_before));
  add("fetchedUnder", text(flags.fetched_under));
  add("behavior", text(flags.behavior));
  std::string out = fmt::format(
      "apiVersion: headgate/v1\nkind: Invalidation\nmetadata: {{ name: {} }}\nspec:\n"
      "  distribution: {}\n",
      quoted(flags.id), quoted(flags.distribution));
  if (!select.empty()) out += "  select:\n" + select;
  if (!flags.mode.empty()) out += fmt::format("  mode: {}\n", quoted(flags.mode));
  if (!flags.retain_for.empty()) out += fmt::format("  retainFor: {}\n", flags.retain_for);
  if (!flags.undo.empty()) out += fmt::format("  undoes: {}\n", quoted(flags.undo));
  return out;
}

/// What is wrong with the flags, in the words of the configuration; false when something is.
bool check(const std::string& text) {
  const schema::DecodedFile file =
      schema::decode_file("purge", text, schema::Owner::Repository, nullptr);
  for (const schema::Diagnostic& diagnostic : file.diagnostics)
    complain(schema::escape_control(diagnostic.message) +
             (diagnostic.hint.empty() ? "" : " (" + schema::escape_control(diagnostic.hint) + ")"));
  return !schema::has_errors(file.diagnostics);
}

Status run_git(const std::string& folder, std::vector<std::string> arguments) {
  reconciler::Command command;
  command.argv = {"git", "-C", folder};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  for (char** variable = environ; *variable != nullptr; ++variable)
    command.environment.emplace_back(*variable);
  command.deadline = kGitDeadline;
  HG_TRY(const reconciler::Outcome outcome, reconciler::run_process(command, nullptr), "git");
  if (outcome.ok()) return {};
  return fail(Blame::Config, "git {}: {}", arguments.front(),
              outcome.errors.empty() ? outcome.output : outcome.errors);
}

/// Writes invalidations/ID.yaml into the working folder and commits that file only.
Status commit_document(const Flags& flags, const std::string& text) {
  namespace fs = std::filesystem;
  const fs::path file = fs::path("invalidations") / (flags.id + ".yaml");
  const fs::path whole = fs::path(flags.repository) / file;
  std::error_code error;
  if (fs::exists(whole, error))
    return fail(Blame::Config, "{} is there already: take another --id", whole.string());
  fs::create_directories(whole.parent_path(), error);
  std::ofstream out(whole, std::ios::binary);
  out << text;
  out.close();
  if (!out) return fail(Blame::Self, "{} cannot be written", whole.string());
  HG_CHECK(run_git(flags.repository, {"add", "--", file.string()}), "committing");
  HG_CHECK(run_git(flags.repository,
                   {"commit", "--quiet", "-m", "Purge " + flags.id, "--", file.string()}),
           "committing");
  fmt::print("{} is committed as {}: push it, and every edge that follows the repository purges\n",
             flags.id, file.string());
  return {};
}

/// The entry `id` of the ledger, or null.
Result<Json> look(const Flags& flags) {
  HG_TRY(const Json all, ask(flags.admin, "/invalidations"), "waiting");
  for (const Json& entry : all)
    if (cli::text(entry, "id") == flags.id) return entry;
  return Json();
}

/// Until the sweep is over.
Result<Json> wait_until_swept(const Flags& flags, Json entry) {
  HG_TRY(const Duration timeout, parse_duration(flags.timeout), "--timeout");
  const auto deadline = Clock::now() + timeout;
  while (cli::text(entry, "state") == "Active") {
    if (Clock::now() >= deadline)
      return fail(Blame::Self, "{} is in force, but after {} the cache still holds what is older",
                  flags.id, flags.timeout);
    std::this_thread::sleep_for(kBetweenLooks);
    HG_TRY(entry, look(flags), "waiting");
  }
  return entry;
}

int report(const tl::unexpected<Error>& error) {
  complain(error.value().context);
  return error.value().blame == Blame::Config ? kInvalid : kFailure;
}

int estimate(const Flags& flags, const std::string& text) {
  const auto answer = tell(flags.admin, "/invalidations/estimate", text);
  if (!answer) {
    complain(answer.error().context);
    return kFailure;
  }
  if (flags.json) {
    fmt::print("{}\n", answer->dump(2));
    return kOk;
  }
  fmt::print("would touch {} responses, {}\n", answer->value("responses", std::uint64_t{0}),
             format_size(answer->value("bytes", std::uint64_t{0})));
  return kOk;
}

int purge(Flags flags) {
  if (flags.id.empty()) flags.id = make_id();
  const std::string text = document(flags);
  if (!check(text)) return kInvalid;
  if (flags.dry_run) return estimate(flags, text);
  if (flags.commit) {
    const Status done = commit_document(flags, text);
    return done ? kOk : report(tl::unexpected<Error>(done.error()));
  }
  auto entry = tell(flags.admin, "/invalidations", text);
  if (entry && flags.wait) entry = wait_until_swept(flags, std::move(*entry));
  if (!entry) {
    complain(entry.error().context);
    return kFailure;
  }
  if (flags.json) {
    fmt::print("{}\n", entry->dump(2, ' ', false, Json::error_handler_t::replace));
    return kOk;
  }
  fmt::print("{} is in force: {}, epoch {}, {} matched, {} freed\n", clean(flags.id),
             cli::text(*entry, "state"), entry->value("epoch", std::uint64_t{0}),
             entry->value("matched", std::uint64_t{0}),
             format_size(entry->value("freedBytes", std::uint64_t{0})));
  return kOk;
}

void add_selection(CLI::App& command, Flags& flags) {
  const auto add_list = [&command](const char* flag, std::vector<std::string>& values,
                                   const char* help, const char* type) {
    command.add_option(flag, values, help)->type_name(type)->take_all()->allow_extra_args(false);
  };
  command.add_option("DISTRIBUTION", flags.distribution, "Whose objects.")->required();
  command.add_option("PATH", flags.paths,
                     "Paths with their query; * stands for any characters, #x for the tag x.");
  add_list("--tag", flags.tags, "Objects that the origin gave this tag; may be repeated.", "TAG");
  add_list("--host", flags.hosts, "Only those served under this name; may be repeated.", "NAME");
  add_list("--content-type", flags.content_types, "Only this media type; may be repeated.",
           "TYPE/SUBTYPE");
  add_list("--status", flags.statuses, "Only this status code; may be repeated.", "CODE");
  add_flag_with_value(command, "--stored-before", flags.stored_before,
                      "Only what came from the origin before.", "TIME");
  add_flag_with_value(command, "--fetched-under", flags.fetched_under,
                      "Only what was fetched while this commit served.", "COMMIT");
  add_flag_with_value(command, "--behavior", flags.behavior,
                      "Only what the behavior of this path pattern fetched.", "PATTERN");
}

}  // namespace

void add_purge(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      program.add_subcommand("purge", "Make cached objects invalid on a running appliance, now.");
  add_selection(*command, *flags);
  add_flag_with_value(*command, "--mode", flags->mode,
                      "revalidate: ask the origin again [default]; delete: fetch anew.", "MODE");
  add_flag_with_value(*command, "--retain-for", flags->retain_for,
                      "Keep the objects so that --undo can bring them back.", "DURATION");
  add_flag_with_value(*command, "--undo", flags->undo, "Take the purge with this id back.", "ID");
  add_flag_with_value(*command, "--id", flags->id,
                      "Its identity, as metadata.name in the repository [made up].", "NAME");
  command->add_flag("--wait", flags->wait, "Return when the memory has been freed, too.");
  add_flag_with_value(*command, "--timeout", flags->timeout, "How long to wait.", "DURATION")
      ->capture_default_str();
  command->add_flag("--dry-run", flags->dry_run,
                    "Only say how much of the cache it would touch now.");
  command->add_flag("--commit", flags->commit,
                    "Commit it to the repository at --repo instead, for every edge.");
  add_flag_with_value(*command, "--repo", flags->repository, "A working folder of git.", "PATH")
      ->capture_default_str();
  command->add_flag("--json", flags->json, "What the ledger says, for machines.");
  add_admin_flag(*command, flags->admin);
  command->footer(
      "When it returns, the purge is recorded durably and every look-up heeds it. The same id "
      "again is a no-op,\n"
      "here and in the repository; the same id with other content is refused.\n\n"
      "Examples:\n"
      "  headgate purge shop /images/hero.jpg '/api/products*'\n"
      "  headgate purge shop --tag product:42 --mode delete --retain-for 1h --id oops\n"
      "  headgate purge shop --undo oops\n"
      "  headgate purge shop '/*' --dry-run\n\n"
      "Exit codes: 0 in force, 1 refused or no answer, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = purge(*flags); });
}

}  // namespace headgate::cli
