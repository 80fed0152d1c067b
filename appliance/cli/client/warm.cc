// SPDX-License-Identifier: MIT
// `headgate warm` and `headgate get warm`: fill the cache of a running appliance, and what has come
// of it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <thread>

#include "appliance/cli/client/client.h"
#include "schema/base/units.h"

namespace headgate::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLooks{200};

struct Flags {
  std::string admin;
  std::string list;
  std::string timeout = "1h";
  bool wait = false;
  bool json = false;
};

std::uint64_t number(const Json& run, const char* name) {
  return run.value(name, std::uint64_t{0});
}

std::string name_of(const Json& run) {
  const std::string list = text(run, "list");
  return list.empty() ? "invalidation " + text(run, "invalidation") : list;
}

bool is_over(const Json& run) {
  const std::string state = text(run, "state");
  return state != "Running" && state != "Paused";
}

/// A name goes into a query as RFC 3986 section 2.1 has it.
std::string encoded(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const auto octet = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.' || c == '_';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", octet);
  }
  return out;
}

/// Ids of the runs that are under way now.
Result<std::set<std::uint64_t>> begin(const Flags& flags) {
  const std::string target = flags.list.empty() ? "/warm" : "/warm?list=" + encoded(flags.list);
  HG_TRY(const Json answer, tell(flags.admin, target, ""), "warming");
  std::set<std::uint64_t> runs;
  for (const Json& id : list(answer, "runs"))
    if (id.is_number_unsigned()) runs.insert(id.get<std::uint64_t>());
  if (runs.empty())
    return fail(Blame::Config, "{} says nothing of runs; is that the admin listener of headgate?",
                flags.admin);
  return runs;
}

/// The runs `ids` as they are now. One that is no longer shown ended long ago.
Result<Json> look(const Flags& flags, const std::set<std::uint64_t>& ids) {
  HG_TRY(const Json all, ask(flags.admin, "/warm"), "looking");
  Json runs = Json::array();
  for (const Json& run : list(all, "runs"))
    if (ids.count(number(run, "id")) != 0) runs.push_back(run);
  return runs;
}

bool all_over(const Json& runs) { return std::all_of(runs.begin(), runs.end(), is_over); }

Result<Json> wait_for(const Flags& flags, const std::set<std::uint64_t>& ids, Json runs) {
  HG_TRY(const Duration timeout, parse_duration(flags.timeout), "--timeout");
  const auto deadline = Clock::now() + timeout;
  const bool shows = isatty(STDERR_FILENO) == 1 && !flags.json;
  while (!all_over(runs)) {
    if (Clock::now() >= deadline)
      return fail(Blame::Self, "after {} it is still being warmed; it goes on", flags.timeout);
    if (shows && !runs.empty())
      fmt::print(stderr, "\r\x1b[K{}: {}", clean(name_of(runs.front())),
                 warm_progress(runs.front()));
    std::this_thread::sleep_for(kBetweenLooks);
    HG_TRY(runs, look(flags, ids), "waiting");
  }
  if (shows) fmt::print(stderr, "\r\x1b[K");
  return runs;
}

bool succeeded(const Json& run) {
  const std::string state = text(run, "state");
  return !is_over(run) || (state == "Completed" && number(run, "failed") == 0);
}

int warm(const Flags& flags) {
  const auto ids = begin(flags);
  auto runs = ids ? look(flags, *ids) : Result<Json>(tl::unexpected<Error>(ids.error()));
  if (runs && flags.wait) runs = wait_for(flags, *ids, std::move(*runs));
  if (!runs) {
    complain(runs.error().context);
    return kFailure;
  }
  if (flags.json) {
    fmt::print("{}\n", runs->dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    for (const Json& run : *runs) {
      const std::string problem = text(run, "problem");
      fmt::print("{}: {}{}\n", clean(name_of(run)), warm_progress(run),
                 problem.empty() ? "" : "; " + clean(problem));
    }
  }
  return std::all_of(runs->begin(), runs->end(), succeeded) ? kOk : kFailure;
}

}  // namespace

std::string warm_progress(const Json& run) {
  std::string line =
      fmt::format("{}, {} of {}", text(run, "state"), number(run, "done"), number(run, "total"));
  for (const auto& [member, words] :
       {std::pair("failed", "failed"), std::pair("skipped", "skipped"),
        std::pair("alreadyCached", "cached already"), std::pair("notStored", "not cacheable")})
    if (const std::uint64_t count = number(run, member); count > 0)
      line += fmt::format(", {} {}", count, words);
  return line + fmt::format(", {:.1f}/s", run.value("rate", 0.0));
}

int print_warm(const std::string& admin, bool json) {
  const auto answer = ask(admin, "/warm");
  if (!answer) {
    complain(answer.error().context);
    return kFailure;
  }
  if (json) {
    fmt::print("{}\n", answer->dump(2, ' ', false, Json::error_handler_t::replace));
    return kOk;
  }
  const Json& runs = list(*answer, "runs");
  std::set<std::string> have_run;
  if (!runs.empty() || !list(*answer, "lists").empty())
    fmt::print("{:<32} {:<16} {:<10} {:<24} {}\n", "LIST", "DISTRIBUTION", "TRIGGER", "SINCE",
               "PROGRESS");
  for (const Json& run : runs) {
    have_run.insert(text(run, "list"));
    const std::string problem = text(run, "problem");
    fmt::print("{:<32} {:<16} {:<10} {:<24} {}{}\n", clean(name_of(run)),
               clean(text(run, "distribution")), text(run, "trigger"), text(run, "started"),
               warm_progress(run), problem.empty() ? "" : "; " + clean(problem));
  }
  for (const Json& entry : list(*answer, "lists")) {
    if (have_run.count(text(entry, "name")) != 0) continue;
    const std::string due = text(entry, "notBefore");
    fmt::print("{:<32} {:<16} {:<10} {:<24} {}\n", clean(text(entry, "name")),
               clean(text(entry, "distribution")), "-", "-",
               due.empty() ? "has not run" : "not before " + due);
  }
  if (list(*answer, "lists").empty() && runs.empty())
    fmt::print("There is no kind: WarmList, and nothing has been warmed.\n");
  return kOk;
}

void add_warm(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(
      "warm", "Fill the cache of a running appliance with what its warm lists name.");
  command->add_option("NAME", flags->list, "A `kind: WarmList`; all of them without it.");
  command->add_flag("--wait", flags->wait, "Return when everything has been asked for.");
  add_flag_with_value(*command, "--timeout", flags->timeout, "How long to wait.", "DURATION")
      ->capture_default_str();
  command->add_flag("--json", flags->json, "For machines.");
  add_admin_flag(*command, flags->admin);
  command->footer(
      "Lists run by themselves, too: see `on` and `notBefore` of `kind: WarmList`. One that is "
      "running already\n"
      "runs on. `headgate get warm` shows what has come of all of them.\n\n"
      "Examples:\n"
      "  headgate warm\n"
      "  headgate warm shop-front --wait\n\n"
      "Exit codes: 0 under way (with --wait: all of it is cached or was asked for without "
      "failure), 1 something\n"
      "failed or no answer, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = warm(*flags); });
}

}  // namespace headgate::cli
