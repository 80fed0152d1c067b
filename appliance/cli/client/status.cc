// SPDX-License-Identifier: MIT
// `headgate status` and `headgate get`: what the appliance runs, and why.
#include <fmt/format.h>

#include <memory>
#include <set>

#include "appliance/cli/client/client.h"
#include "schema/base/units.h"
#include "schema/text.h"

namespace headgate::cli {
namespace {

struct Flags {
  std::string admin;
  bool json = false;
};

std::string short_id(const std::string& commit) { return commit.substr(0, 7); }

/// What of a list of diagnostics fits on a terminal; `--json` has all of it.
void print_lines(const Json& lines, std::size_t limit) {
  std::size_t shown = 0;
  for (const Json& line : lines) {
    if (!line.is_string()) continue;
    if (shown++ == limit) {
      fmt::print("    … and {} more\n", lines.size() - limit);
      return;
    }
    // Diagnostics are escaped where they are made; a hint stands on a line of its own.
    std::string text = line.get<std::string>();
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 5))
      text.replace(at, 1, "\n    ");
    fmt::print("    {}\n", text);
  }
}

void print_revisions(const Json& status) {
  const Json& revisions = status.contains("revisions") ? status["revisions"] : Json::object();
  const std::string applied = text(revisions, "applied");
  const Json& history = list(status, "history");
  const std::string subject = history.empty() ? "" : text(history.front(), "subject");
  const std::string since = history.empty() ? "" : text(history.front(), "time");
  if (applied.empty())
    fmt::print("Serves      nothing yet\n");
  else
    fmt::print("Serves      {}  {}\n            since {}\n", text(status, "label"), clean(subject),
               since);
  const std::string desired = text(revisions, "desired");
  if (!desired.empty() && desired != applied) fmt::print("Wanted      {}\n", short_id(desired));
  if (status.contains("source")) {
    const Json& source = status["source"];
    const std::string last = text(source, "lastSuccess");
    const std::string ref = text(source, "ref");
    const std::string resolved = text(source, "resolved");
    fmt::print("Source      {} at {}{}, {}\n", clean(text(source, "url")), clean(ref),
               resolved.empty() || resolved == ref ? "" : " (" + clean(resolved) + ")",
               last.empty() ? "never read" : "read " + last);
  }
}

void print_conditions(const Json& status) {
  for (const Json& condition : list(status, "conditions")) {
    const std::string message = text(condition, "message");
    fmt::print("{:<12}{}  {}{}{}\n", text(condition, "type") + " ", text(condition, "status"),
               text(condition, "reason"), message.empty() ? "" : ": ",
               clean(message.substr(0, message.find('\n'))));
  }
}

void print_refusal(const Json& status) {
  if (!status.contains("refused") || !status["refused"].is_object()) return;
  const Json& refused = status["refused"];
  fmt::print("Refused     {}  {}\n            at {} ({})\n", short_id(text(refused, "commit")),
             clean(text(refused, "subject")), text(refused, "time"), text(refused, "stage"));
  print_lines(list(status, "diagnostics"), 20);
}

/// What is being warmed, and what was not warmed as it should have been.
void print_warming(const Json& status) {
  if (!status.contains("warming") || !status["warming"].is_object()) return;
  std::set<std::string> shown;
  for (const Json& run : list(status["warming"], "runs")) {
    const std::string list_name = text(run, "list");
    const std::string state = text(run, "state");
    const bool newest = list_name.empty() || shown.insert(list_name).second;
    const bool active = state == "Running" || state == "Paused";
    const bool wrong = state == "GaveUp" || run.value("failed", std::uint64_t{0}) > 0;
    if (!active && !(newest && wrong)) continue;
    const std::string name =
        list_name.empty() ? "invalidation " + text(run, "invalidation") : list_name;
    fmt::print("Warming     {}: {}\n", clean(name), warm_progress(run));
  }
}

/// Of a machine of the appliance image: the slots, and what becomes of an upgrade.
void print_machine(const Json& status) {
  if (!status.contains("machine") || !status["machine"].is_object()) return;
  const Json& machine = status["machine"];
  const std::string problem = text(machine, "problem");
  if (!problem.empty()) return fmt::print("Machine     {}\n", clean(problem));
  fmt::print("Machine     {}, {}\n", clean(text(machine, "version")),
             clean(text(machine, "firmware")));
  for (const Json& slot : list(machine, "slots")) {
    const std::string version = text(slot, "version");
    const auto tries = slot.find("triesLeft");
    fmt::print("            slot {}: {}{}{}\n", clean(text(slot, "slot")),
               version.empty() ? "" : clean(version) + " ", clean(text(slot, "state")),
               tries != slot.end() && tries->is_number_unsigned()
                   ? fmt::format(", {} tries left", tries->get<std::uint64_t>())
                   : "");
  }
  if (machine.contains("upgrade") && machine["upgrade"].is_object()) {
    const Json& upgrade = machine["upgrade"];
    fmt::print("            upgrade {}: {}, {}\n", clean(text(upgrade, "version")),
               clean(text(upgrade, "state")), clean(text(upgrade, "message")));
  }
}

int status(const Flags& flags) {
  const auto answer = ask(flags.admin, "/status");
  if (!answer) {
    complain(answer.error().context);
    return kFailure;
  }
  const bool ready = answer->value("ready", false);
  if (flags.json) {
    fmt::print("{}\n", answer->dump(2, ' ', false, Json::error_handler_t::replace));
    return ready ? kOk : kFailure;
  }
  fmt::print("Ready       {}\n", ready ? "yes" : "no");
  print_revisions(*answer);
  print_refusal(*answer);
  print_warming(*answer);
  print_machine(*answer);
  for (const Json& warning : list(*answer, "warnings")) print_lines(Json::array({warning}), 1);
  fmt::print("\n");
  print_conditions(*answer);
  return ready ? kOk : kFailure;
}

/// What an invalidation selects, in one line; why it was rejected, if it was.
std::string selection(const Json& entry) {
  std::vector<std::string> parts;
  const auto add = [&parts](const char* name, const std::string& value) {
    if (!value.empty()) parts.push_back(name + value);
  };
  for (const Json& path : list(entry, "paths"))
    if (path.is_string()) parts.push_back(path.get<std::string>());
  for (const Json& tag : list(entry, "tags"))
    if (tag.is_string()) add("#", tag.get<std::string>());
  for (const char* name : {"hosts", "contentTypes"})
    for (const Json& item : list(entry, name))
      if (item.is_string()) parts.push_back(item.get<std::string>());
  for (const Json& code : list(entry, "statusCodes")) parts.push_back(code.dump());
  add("storedBefore ", text(entry, "storedBefore"));
  add("fetchedUnder ", text(entry, "fetchedUnder"));
  add("behavior ", text(entry, "behavior"));
  add("undoes ", text(entry, "undoes"));
  if (entry.value("undone", false)) parts.emplace_back("(undone)");
  add("rejected: ", text(entry, "rejected"));
  return schema::join(parts, " ");
}

int invalidations(const Flags& flags) {
  const auto answer = ask(flags.admin, "/invalidations");
  if (!answer) {
    complain(answer.error().context);
    return kFailure;
  }
  if (flags.json) {
    fmt::print("{}\n", answer->dump(2, ' ', false, Json::error_handler_t::replace));
    return kOk;
  }
  if (!answer->is_array() || answer->empty()) {
    fmt::print("No invalidation has been seen.\n");
    return kOk;
  }
  fmt::print("{:<32} {:<8} {:>6} {:>8} {:>9}  {:<24} {:<11} {:<16} {}\n", "ID", "STATE", "EPOCH",
             "MATCHED", "FREED", "ACTIVATED", "MODE", "DISTRIBUTION", "SELECTS");
  for (const Json& entry : *answer) {
    const std::string since = text(entry, "activatedAt");
    fmt::print("{:<32} {:<8} {:>6} {:>8} {:>9}  {:<24} {:<11} {:<16} {}\n",
               clean(text(entry, "id")), text(entry, "state"),
               entry.value("epoch", std::uint64_t{0}), entry.value("matched", std::uint64_t{0}),
               format_size(entry.value("freedBytes", std::uint64_t{0})),
               since.empty() ? "due " + text(entry, "notBefore") : since, text(entry, "mode"),
               clean(text(entry, "distribution")), clean(selection(entry)));
  }
  return kOk;
}

}  // namespace

void add_status(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      program.add_subcommand("status", "Show what a running appliance serves, and why.");
  add_admin_flag(*command, flags->admin);
  command->add_flag("--json", flags->json, "The whole of /status.");
  command->footer(
      "Ready means: a configuration serves, and it is the one that the source names. After a "
      "commit was\n"
      "refused the appliance serves on with the one before, and is not ready; the diagnostics are "
      "shown.\n\n"
      "Exit codes: 0 ready, 1 not ready or no answer, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = status(*flags); });
}

void add_get(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand("get", "List what a running appliance knows.");
  command->require_subcommand(1);
  CLI::App* what =
      command->add_subcommand("invalidations", "Every invalidation, and what has come of it.");
  add_admin_flag(*what, flags->admin);
  what->add_flag("--json", flags->json, "For machines.");
  what->footer(
      "State Pending: it is still to come. Active: stored responses may be older than it; they "
      "are not served.\n"
      "Swept: none are left, or those that are bear a mark. Rejected: it could not be done. An id "
      "runs once; the same id with other content is refused.\n\n"
      "Exit codes: 0, 1 no answer, 2 bad flags.");
  CLI::App* lists = command->add_subcommand("warm", "Warm lists, and what has come of their runs.");
  add_admin_flag(*lists, flags->admin);
  lists->add_flag("--json", flags->json, "For machines.");
  lists->footer(
      "Running: requests are being made. Paused: the origin fails, it is tried again. Completed: "
      "everything was\n"
      "asked for. GaveUp: the origin failed for too long. Replaced: another commit went live.\n\n"
      "Exit codes: 0, 1 no answer, 2 bad flags.");
  lists->callback([flags, exit_code] { *exit_code = print_warm(flags->admin, flags->json); });
  command->footer("Example: headgate get invalidations --json");
  what->callback([flags, exit_code] { *exit_code = invalidations(*flags); });
}

}  // namespace headgate::cli
