// SPDX-License-Identifier: MIT
// `headgate events`: what happened, from the appliance's journal.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "appliance/cli/client/client.h"

namespace headgate::cli {
namespace {

struct Flags {
  std::string admin;
  bool follow = false;
  bool json = false;
};

/// One line for people: time, type, and what belongs to the type.
std::string describe(const Json& event) {
  const std::string type = text(event, "type");
  std::string line = fmt::format("{}  {:<15}", text(event, "time"), type);
  if (const std::string commit = text(event, "commit"); !commit.empty())
    line += " " + commit.substr(0, 7);
  if (event.contains("generation"))
    line += fmt::format("  generation {}", event["generation"].dump());
  if (const std::string subject = text(event, "subject"); !subject.empty())
    line += "  " + clean(subject);
  if (const std::string message = text(event, "message"); !message.empty())
    line += "  " + clean(message);
  if (type == "started")
    line += "  " + clean(text(event, "source")) + " at " + clean(text(event, "ref"));
  if (event.value("historyRewritten", false)) line += "  (history rewritten)";
  for (const Json& invalidation : list(event, "invalidations"))
    line += "\n    purged by " + clean(text(invalidation, "id"));
  for (const Json& diagnostic : list(event, "diagnostics"))
    if (diagnostic.is_string()) line += "\n    " + diagnostic.get<std::string>();
  return line;
}

void print_line(const std::string& line, bool as_json) {
  if (line.empty()) return;
  const Json event = Json::parse(line, nullptr, false);
  if (as_json || !event.is_object())
    fmt::print("{}\n", line);
  else
    fmt::print("{}\n", describe(event));
}

int events(const Flags& flags) {
  std::string rest;  // of a line that has not ended yet
  const auto on_octets = [&](std::string_view octets) {
    rest += octets;
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos;
         end = rest.find('\n', begin)) {
      print_line(rest.substr(begin, end - begin), flags.json);
      begin = end + 1;
    }
    rest.erase(0, begin);
    std::fflush(stdout);
    return std::ferror(stdout) == 0;
  };
  const Status status = admin::follow(flags.admin, flags.follow ? "/events?follow=1" : "/events",
                                      admin_token(), on_octets);
  if (!status) {
    complain(status.error().context);
    return kFailure;
  }
  return kOk;
}

}  // namespace

void add_events(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(
      "events", "Show what happened: commits applied and refused, failures.");
  add_admin_flag(*command, flags->admin);
  command->add_flag("-f,--follow", flags->follow,
                    "Go on with what happens from now on, until interrupted.");
  command->add_flag("--json", flags->json, "The journal's records, one JSON object a line.");
  command->footer(
      "The last 500 records of the appliance's journal, the oldest first.\n\n"
      "Example: headgate events -f\n\n"
      "Exit codes: 0, 1 no answer, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = events(*flags); });
}

}  // namespace headgate::cli
