// SPDX-License-Identifier: MIT
// `headgate run`: the appliance.
#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <memory>

#include "appliance/cli/command.h"
#include "appliance/cli/run/appliance.h"
#include "appliance/cli/run/settings.h"

namespace headgate::cli {
namespace {

/// Blocked in every thread that is started from now on; taken one by one with sigwait.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a viewer that has gone is an error of write(), not the end
  std::signal(SIGXFSZ, SIG_IGN);  // and so is a file that may not grow
  return signals;
}

bool is_told_to_stop() {
  sigset_t pending;
  return sigpending(&pending) == 0 &&
         (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/// Until SIGTERM or SIGINT, or until another process serves.
int serve(Appliance& appliance, const sigset_t& signals) {
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    switch (signal) {
      case SIGHUP:
        appliance.reload();
        break;
      case SIGUSR2:
        switch (appliance.hand_over(is_told_to_stop)) {
          case Appliance::Handover::Done:
            appliance.retire(is_told_to_stop);
            return kOk;
          case Appliance::Handover::Failed:
            break;
          case Appliance::Handover::Broken:
            appliance.stop();
            return kFailure;
        }
        break;
      default:
        complain("stopping: waiting for requests that are under way, 10 s at most");
        appliance.stop();
        return kOk;
    }
  }
}

int run(const RunFlags& flags) {
  const sigset_t signals =
      block_signals();  // first: a SIGHUP that comes now asks for a round later
  auto inherited = take_inheritance();
  if (!inherited) {
    complain(inherited.error().context);
    return kFailure;
  }
  const auto settings = read_settings(flags);
  if (!settings) {
    complain(settings.error().context);
    return kInvalid;
  }
  for (const auto& diagnostic : settings->diagnostics)
    fmt::print(stderr, "{}\n", diagnostic.text());
  if (schema::has_errors(settings->diagnostics)) return kInvalid;

  Appliance appliance(settings->edge, settings->receive, std::move(*inherited),
                      [](const std::string& line) { complain(line); });
  if (const Status opened = appliance.open(settings->edge.user); !opened) {
    complain(opened.error().context);
    return kInvalid;
  }
  if (const Status started = appliance.start(); !started) {
    complain(started.error().context);
    return kFailure;
  }
  return serve(appliance, signals);
}

}  // namespace

void add_run(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<RunFlags>();
  CLI::App* command =
      program.add_subcommand("run", "Serve what a git repository says, and follow it.");
  add_run_flags(*command, *flags);
  command->footer(
      "A commit on the followed ref is fetched, validated, compiled, tested against its `kind: "
      "Expect` cases,\n"
      "and goes live in one swap, purges included. A commit that fails leaves everything as it is; "
      "`headgate\n"
      "status` and /status tell why. The last good configuration is kept in --state: the appliance "
      "boots with\n"
      "the source away. An unreachable or invalid source at first boot leaves it alive and not "
      "ready.\n\n"
      "With --mirror, what has all that is live in its history is taken from whichever URL has it; "
      "anything\n"
      "else only when all URLs name it, so a mirror that is behind takes nothing back.\n"
      "ssh:// checks host keys always: against --known-hosts, or ~/.ssh/known_hosts. Tokens are "
      "for "
      "https://: the\n"
      "Edge file has them for several hosts (source.credentials).\n"
      "HEADGATE_ADMIN_TOKEN is the bearer token of the admin endpoints, which a non-loopback "
      "--admin needs.\n\n"
      "Signals: SIGTERM and SIGINT drain, 10 s at most, and exit 0. SIGHUP asks the source now, "
      "reads "
      "secrets\n"
      "and the geo database again, and opens the access log again. SIGUSR2 starts the program that "
      "is now\n"
      "where this one was started from, hands it all sockets, and ends when what is under way is "
      "over: no\n"
      "connection is refused. If the next one does not begin to serve, this one goes on.\n\n"
      "Examples:\n"
      "  headgate run --source /srv/site --state /tmp/headgate --http 127.0.0.1:8080\n"
      "  headgate run --source https://git.example.com/edge.git --ref release --http :80 --https "
      ":443 --user headgate\n"
      "  headgate run --source https://git.example.com/edge.git --token-file /etc/headgate/token "
      "--semver '^1.4' \\\n"
      "    --http :80\n\n"
      "Exit codes: 0 stopped by a signal, 1 it could not start (a port, the state folder), 2 bad "
      "flags or Edge\n"
      "file.");
  command->callback([flags, exit_code] { *exit_code = run(*flags); });
}

}  // namespace headgate::cli
