// SPDX-License-Identifier: MIT
// `headgate diff`: what going from one configuration to another would do.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include "appliance/cli/client/client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/offline/configuration.h"
#include "reconciler/plan/plan.h"
#include "reconciler/plan/replay.h"
#include "schema/encode.h"

namespace headgate::cli {
namespace {

using reconciler::Prepared;

struct Flags {
  std::string range;
  std::string repository = ".";
  std::string admin;   ///< empty: nobody is asked
  std::string replay;  ///< a file, "-" or "last"; empty: none
  std::string geoip;
  schema::Layout layout;
  bool json = false;
};

/// `A..B`: two revisions. `A`: from it to the working folder. Nothing: from HEAD to the working
/// folder.
struct Range {
  std::string before = "HEAD";
  std::string after;  ///< empty: the working folder
};

Range parse_range(const std::string& text) {
  Range range;
  const std::size_t dots = text.find("..");
  if (dots == std::string::npos) {
    if (!text.empty()) range.before = text;
    return range;
  }
  if (dots > 0) range.before = text.substr(0, dots);
  range.after = text.substr(dots + 2);
  if (range.after.empty()) range.after = "HEAD";
  return range;
}

/// One side of the comparison; prints what is wrong with it.
std::optional<Prepared> load(schema::Loader& loader, const Flags& flags,
                             const std::string& revision) {
  const auto tree = open_revision(flags.repository, revision, flags.layout);
  if (!tree) {
    complain(tree.error().context);
    return std::nullopt;
  }
  auto loaded = load_configuration(loader, **tree, flags.geoip);
  if (!loaded) {
    complain(loaded.error().context);
    return std::nullopt;
  }
  if (!*loaded) {
    print(loaded->error().diagnostics);
    complain(fmt::format("{} is invalid: {}", revision.empty() ? "the working folder" : revision,
                         count(loaded->error().diagnostics)));
    return std::nullopt;
  }
  return std::move(**loaded);
}

/// What `purge` would touch on the running appliance.
Result<cache::Selected> ask_for_estimate(const Flags& flags, const reconciler::Purge& purge) {
  Json document{{"apiVersion", "headgate/v1"}, {"kind", "Invalidation"}};
  document.update(
      schema::to_json(*purge.invalidation, {schema::Defaults::LeftOut, /*secret_key=*/""}));
  HG_TRY(const Json answer, tell(flags.admin, "/invalidations/estimate", document.dump()),
         "{} cannot say what {} touches", flags.admin, purge.id);
  return cache::Selected{answer.value("responses", std::uint64_t{0}),
                         answer.value("bytes", std::uint64_t{0})};
}

Status measure(const Flags& flags, reconciler::Plan& plan) {
  if (flags.admin.empty()) return {};
  for (reconciler::Purge& purge : plan.purges) {
    HG_TRY(purge.touches, ask_for_estimate(flags, purge), "--admin");
  }
  return {};
}

/// `--replay`: the recorded requests, wherever they are.
Result<std::unique_ptr<std::istream>> open_log(const Flags& flags) {
  if (flags.replay == "-")
    return std::unique_ptr<std::istream>(std::make_unique<std::istream>(std::cin.rdbuf()));
  if (flags.replay != "last") {
    auto file = std::make_unique<std::ifstream>(flags.replay, std::ios::binary);
    if (!*file) return fail(Blame::Config, "--replay {}: {}", flags.replay, std::strerror(errno));
    return std::unique_ptr<std::istream>(std::move(file));
  }
  if (flags.admin.empty())
    return fail(Blame::Config, "--replay last: say with --admin which appliance is to be asked");
  HG_TRY(std::string lines, fetch(flags.admin, "/requests"), "--replay last");
  return std::unique_ptr<std::istream>(std::make_unique<std::istringstream>(std::move(lines)));
}

struct Replayed {
  reconciler::ReplayReport report;
  reconciler::LogReport log;
};

Result<Replayed> replay(const Flags& flags, const Prepared& before, const Prepared& after) {
  HG_TRY(const auto log, open_log(flags), "replay");
  reconciler::Replay run(before.configuration, after.configuration);
  Replayed replayed;
  replayed.log = reconciler::read_requests(*log, [&run](const auto& request) { run.add(request); });
  replayed.report = run.report();
  return replayed;
}

int diff(const Flags& flags) {
  const Range range = parse_range(flags.range);
  schema::Loader loader;
  const auto before = load(loader, flags, range.before);
  const auto after = before ? load(loader, flags, range.after) : std::nullopt;
  if (!before || !after) return kInvalid;

  reconciler::Plan plan = reconciler::make_plan(*before->model, *after->model);
  plan.warnings = reconciler::new_warnings(before->diagnostics, after->diagnostics);
  if (const Status measured = measure(flags, plan); !measured) {
    complain(measured.error().context);
    return kInvalid;
  }
  std::optional<Replayed> replayed;
  if (!flags.replay.empty()) {
    auto done = replay(flags, *before, *after);
    if (!done) {
      complain(done.error().context);
      return kInvalid;
    }
    replayed = std::move(*done);
    if (replayed->log.skipped > 0)
      complain(fmt::format("--replay {}: {} lines are no requests; the first is line {}: {}",
                           flags.replay, replayed->log.skipped, replayed->log.first,
                           clean(replayed->log.first_problem)));
  }
  std::size_t cases = 0;
  const auto failures = reconciler::failed_expectations(*after->configuration, &cases);
  if (flags.json) {
    reconciler::Json json = to_json(plan);
    json["failedExpectations"] = reconciler::Json::array();
    if (replayed) {
      json["replay"] = to_json(replayed->report);
      json["replay"]["skipped"] = replayed->log.skipped;
    }
    for (const auto& failure : failures) json["failedExpectations"].push_back(failure.text());
    fmt::print("{}\n", json.dump(2, ' ', false, reconciler::Json::error_handler_t::replace));
  } else {
    fmt::print("{}", to_text(plan, wants_colour(stdout)));
    if (replayed) fmt::print("\n{}", to_text(replayed->report));
    print(failures);
    if (!failures.empty())
      fmt::print("{} of {} expectations fail: no edge would apply this\n", failures.size(), cases);
  }
  if (!plan.mismatched.empty()) return kInvalid;
  if (!failures.empty()) return kTestsFailed;
  return plan.empty() ? kOk : kFailure;
}

}  // namespace

void add_diff(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      program.add_subcommand("diff", "Show what a change of configuration would do.");
  command
      ->add_option(
          "range", flags->range,
          "A..B: from A to B. A: from A to the files on disk. Nothing: from HEAD to those.")
      ->type_name("A..B");
  add_flag_with_value(*command, "--repo", flags->repository, "The configuration repository.",
                      "PATH")
      ->capture_default_str();
  add_layout_flags(*command, flags->layout);
  add_flag_with_value(*command, "--admin", flags->admin,
                      "A running appliance, to be asked what purges would touch in its cache.",
                      "ADDR:PORT or unix:PATH");
  add_flag_with_value(*command, "--replay", flags->replay,
                      "Recorded requests to decide under both: an access log of headgate or "
                      "CloudFront, - for standard input, or `last`: those that the appliance at "
                      "--admin has just served.",
                      "FILE|last");
  add_flag_with_value(*command, "--geoip", flags->geoip,
                      "Country database (MMDB), for clients of --replay.", "FILE");
  command->add_flag("--json", flags->json, "For machines.");
  command->footer(
      "Compares meaning, not text: defaults are filled in, lists are matched by id, name or path "
      "pattern, and\n"
      "the order of behaviors counts. Secrets are only said to have changed. Invalidations that "
      "are new are\n"
      "listed as what will be purged. The expectations of the second side are run.\n\n"
      "Examples:\n"
      "  headgate diff                        what you are about to commit\n"
      "  headgate diff HEAD~1..HEAD           what the last commit did\n"
      "  headgate diff origin/main --json     your folder against what is upstream\n"
      "  headgate diff --admin edge1:9900     and how much of its cache would be purged\n"
      "  headgate diff --admin edge1:9900 --replay last\n"
      "                                       and for which of its last requests the decision "
      "changes\n"
      "  zcat E2ABC.*.gz | headgate diff --replay -\n"
      "                                       the same for CloudFront's logs\n\n"
      "A replay fetches nothing. Its hit ratios are those of a cache that is empty at first and "
      "has room for all,\n"
      "where each response is fresh for as long as the policy says of one without "
      "Cache-Control.\n\n"
      "Exit codes: 0 no changes, 1 changes, 2 a side is invalid or unreadable, 3 an expectation "
      "fails.");
  command->callback([flags, exit_code] { *exit_code = diff(*flags); });
}

}  // namespace headgate::cli
