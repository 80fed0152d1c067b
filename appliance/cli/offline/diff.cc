// SPDX-License-Identifier: MIT
// `headgate diff`: what going from one configuration to another would do.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "appliance/cli/client/client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/offline/configuration.h"
#include "reconciler/plan/plan.h"
#include "schema/encode.h"

namespace headgate::cli {
namespace {

using reconciler::Prepared;

struct Flags {
  std::string range;
  std::string repository = ".";
  std::string admin;  ///< empty: nobody is asked
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
  const auto tree = open_revision(flags.repository, revision);
  if (!tree) {
    complain(tree.error().context);
    return std::nullopt;
  }
  auto loaded = load_configuration(loader, **tree, "");
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
  std::size_t cases = 0;
  const auto failures = reconciler::failed_expectations(*after->configuration, &cases);
  if (flags.json) {
    reconciler::Json json = to_json(plan);
    json["failedExpectations"] = reconciler::Json::array();
    for (const auto& failure : failures) json["failedExpectations"].push_back(failure.text());
    fmt::print("{}\n", json.dump(2, ' ', false, reconciler::Json::error_handler_t::replace));
  } else {
    fmt::print("{}", to_text(plan, wants_colour(stdout)));
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
  add_flag_with_value(*command, "--admin", flags->admin,
                      "A running appliance, to be asked what purges would touch in its cache.",
                      "ADDR:PORT or unix:PATH");
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
      "  headgate diff --admin edge1:9900     and how much of its cache would be purged\n\n"
      "Exit codes: 0 no changes, 1 changes, 2 a side is invalid or unreadable, 3 an expectation "
      "fails.");
  command->callback([flags, exit_code] { *exit_code = diff(*flags); });
}

}  // namespace headgate::cli
