// SPDX-License-Identifier: MIT
// `headgate hook pre-receive` and `headgate hook post-receive`: what git runs on the side that is
// pushed to.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>

#include "appliance/cli/client/client.h"
#include "appliance/cli/hook/hooks.h"
#include "appliance/cli/hook/push.h"
#include "appliance/cli/offline/configuration.h"
#include "appliance/cli/run/receiver.h"
#include "reconciler/loop/reviewer.h"
#include "reconciler/trust/machine.h"
#include "schema/base/units.h"
#include "schema/model/signers.h"

namespace headgate::cli {
namespace {

using reconciler::Repository;
using reconciler::Review;

struct Flags {
  std::string admin;  ///< empty: judged here
  std::string ref = "main";
  std::string timeout = "30s";
  schema::EdgeVerify verify;
  schema::Layout layout;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// Asks the appliance that the repository belongs to.
Result<bool> ask_appliance(const Flags& flags, const std::vector<RefUpdate>& updates) {
  const std::string quarantine = variable("GIT_QUARANTINE_PATH");
  Json push{{"objects", quarantine.substr(quarantine.rfind('/') + 1)}, {"updates", Json::array()}};
  for (const RefUpdate& update : updates)
    push["updates"].push_back(
        Json{{"ref", update.ref}, {"before", update.before}, {"after", update.after}});
  HG_TRY(const Json answer,
         tell(flags.admin, "/hooks/receive",
              push.dump(-1, ' ', false, Json::error_handler_t::replace)),
         "nothing is accepted");
  fmt::print("{}", text(answer, "text"));
  return answer.value("accepted", false);
}

bool has_signers(const schema::Tree& tree) {
  return std::any_of(tree.entries().begin(), tree.entries().end(),
                     [](const auto& entry) { return entry.path == schema::kSignersFile; });
}

/// Nothing when neither the repository nor the flags name signers.
Result<std::optional<reconciler::Verdict>> verify(const Flags& flags, const Repository& repository,
                                                  const RefUpdate& update) {
  HG_TRY(auto machine, reconciler::read_machine_policy(flags.verify), "verify");
  bool asked = machine != nullptr;
  if (!update.makes()) {
    HG_TRY(const auto before, repository.tree(update.before), "reading");
    asked = asked || has_signers(*before);
  }
  if (!asked) return std::optional<reconciler::Verdict>();
  const std::string live = update.makes() ? "" : update.before;
  HG_TRY(auto verdict,
         reconciler::Verifier(repository, std::move(machine)).verify({live, "", ""}, update.after),
         "verify");
  return std::optional<reconciler::Verdict>(std::move(verdict));
}

/// As an edge would that has `before` live, but for what only the machine knows.
Result<Review> judge(const Flags& flags, const Repository& repository, const RefUpdate& update) {
  using reconciler::Refusal;
  using reconciler::Stage;
  Review review;
  review.commit = update.after;
  HG_TRY(const auto verdict, verify(flags, repository, update), "{}", update.ref);
  if (verdict && !verdict->good()) {
    review.refusal = Refusal{Stage::Verify, verdict->diagnostics};
    return review;
  }
  if (verdict) review.signers = verdict->signers;
  schema::Loader loader;
  HG_TRY(const auto tree, repository.tree(update.after), "{}", update.ref);
  tree->set_layout(flags.layout);
  HG_TRY(auto loaded, load_configuration(loader, *tree, ""), "{}", update.ref);
  if (loaded) loaded = reconciler::test(std::move(*loaded));
  if (!loaded) {
    review.refusal = std::move(loaded.error());
    return review;
  }
  review.cases = loaded->cases;
  auto before = std::make_shared<const schema::Model>();
  std::vector<schema::Diagnostic> known;
  if (!update.makes()) {
    HG_TRY(const auto old_tree, repository.tree(update.before), "{}", update.ref);
    old_tree->set_layout(flags.layout);
    HG_TRY(auto old, load_configuration(loader, *old_tree, ""), "{}", update.ref);
    if (old) before = old->model;  // what was invalid did nothing
    if (old) known = std::move(old->diagnostics);
  }
  review.plan = reconciler::make_plan(*before, *loaded->model);
  review.plan.warnings = reconciler::new_warnings(known, loaded->diagnostics);
  return review;
}

Result<bool> judge_here(const Flags& flags, const std::vector<RefUpdate>& updates) {
  const std::string folder = variable("GIT_DIR");
  HG_TRY(auto repository, Repository::open(folder.empty() ? "." : folder), "GIT_DIR");
  if (const std::string quarantine = variable("GIT_QUARANTINE_PATH"); !quarantine.empty())
    repository.add_objects(quarantine);
  bool accepted = true;
  for (const RefUpdate& update : updates) {
    if (!is_followed(update.ref, flags.ref)) continue;
    if (update.removes()) {
      fmt::print("headgate: {} is what edges follow: it is not removed\n", clean(update.ref));
      accepted = false;
      continue;
    }
    HG_TRY(const Review review, judge(flags, repository, update), "judging");
    fmt::print("{}", to_text(review, false));
    accepted = accepted && !review.refusal;
  }
  return accepted;
}

int pre_receive(Flags& flags) {
  if (const Status good = check(flags.layout); !good) {
    complain(good.error().context);
    return kInvalid;
  }
  const std::vector<RefUpdate> updates = read_updates();
  const auto accepted =
      flags.admin.empty() ? judge_here(flags, updates) : ask_appliance(flags, updates);
  if (!accepted) complain(accepted.error().context);
  return accepted && *accepted ? kOk : kFailure;
}

/// "until …: reason"; empty when commits go live.
std::string suspension(const std::string& admin) {
  const auto status = ask(admin, "/status");
  if (!status) return {};  // who waits will say so
  for (const Json& condition : list(*status, "conditions"))
    if (text(condition, "type") == "Suspended" || text(condition, "type") == "Pending")
      return clean(text(condition, "message"));
  return {};
}

int post_receive(const Flags& flags) {
  const auto timeout = parse_duration(flags.timeout);
  if (!timeout) {
    complain("--timeout: " + timeout.error().context);
    return kInvalid;
  }
  for (const RefUpdate& update : read_updates()) {
    if (!is_followed(update.ref, flags.ref) || update.removes()) continue;
    if (const auto told = tell(flags.admin, "/reconcile", ""); !told) {
      complain(told.error().context);
      return kFailure;
    }
    if (const std::string why = suspension(flags.admin); !why.empty()) {
      fmt::print("headgate: {} waits: suspended {}\n", update.after.substr(0, 7), why);
      continue;
    }
    if (const int code = wait_until_live(flags.admin, update.after, *timeout, true); code != kOk)
      return code;
  }
  return kOk;
}

CLI::App* add_push_hook(CLI::App& hooks, const std::shared_ptr<Flags>& flags, const char* name,
                        const char* what) {
  CLI::App* command = hooks.add_subcommand(name, what);
  add_flag_with_value(*command, "--ref", flags->ref, "The branch that edges follow.", "REF")
      ->capture_default_str();
  return command;
}

}  // namespace

std::vector<RefUpdate> read_updates() {
  std::vector<RefUpdate> updates;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    RefUpdate update;
    if (words >> update.before >> update.after >> update.ref) updates.push_back(std::move(update));
  }
  return updates;
}

void add_receive_hooks(CLI::App& hooks, int* exit_code) {
  const auto judged = std::make_shared<Flags>();
  CLI::App* pre = add_push_hook(hooks, judged, "pre-receive",
                                "Refuse a push that would not go live, and say what it would do.");
  add_flag_with_value(*pre, "--admin", judged->admin,
                      "The appliance whose --receive this is; without it, the push is judged "
                      "here, against what the branch was.",
                      "ADDR:PORT or unix:PATH");
  add_layout_flags(*pre, judged->layout);
  add_verify_flags(*pre, judged->verify.allowed_signers, judged->verify.openpgp_keyring);
  pre->footer(
      "For any git host that runs hooks: put `exec headgate hook pre-receive` into "
      "hooks/pre-receive of the\n"
      "bare repository. Commits are verified by the signers.yaml of what the branch was, and by "
      "--allowed-signers\n"
      "and --openpgp-keyring where there is none; the configuration is validated, its expectations "
      "run, and the\n"
      "plan printed: whoever pushes sees it as `remote:` lines.\n\n"
      "Exit codes: 0 accepted, 1 refused or it cannot be judged, 2 bad flags.");
  pre->callback([judged, exit_code] { *exit_code = pre_receive(*judged); });

  const auto flags = std::make_shared<Flags>();
  CLI::App* post = add_push_hook(hooks, flags, "post-receive",
                                 "Tell the appliance, and return when it is live.");
  add_admin_flag(*post, flags->admin);
  add_flag_with_value(*post, "--timeout", flags->timeout, "How long to wait.", "DURATION")
      ->capture_default_str();
  post->callback([flags, exit_code] { *exit_code = post_receive(*flags); });
}

}  // namespace headgate::cli
