// SPDX-License-Identifier: MIT
// What an edge would say to a commit, before the commit is anywhere: the stages of a round, and
// what would change, without a change.
#include "reconciler/loop/reviewer.h"

#include "reconciler/trust/machine.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

std::string serving(const Review& review) {
  return review.generation > 0 ? fmt::format("generation {} serves on", review.generation)
                               : "nothing serves yet";
}

}  // namespace

Result<std::optional<Verdict>> Reviewer::verify(const Repository& repository,
                                                const std::string& commit) const {
  if (!verify_.enabled()) return std::optional<Verdict>();
  HG_TRY(auto machine, read_machine_policy(verify_), "verifying");
  Activation live;
  {
    const base::MutexLock lock(state_);
    const auto& activations = activator_.history().activations();
    if (!activations.empty() && activations.back().verified) live = activations.back();
  }
  const TrustAnchor anchor{live.commit, verify_.trusted_commit, live.trusted_commit};
  HG_TRY(Verdict verdict, Verifier(repository, std::move(machine)).verify(anchor, commit),
         "verifying {}", commit);
  if (verdict.good() && commit == live.commit) verdict.signers = live.signers;
  return std::optional<Verdict>(std::move(verdict));
}

Result<Review> Reviewer::review(const Repository& repository, const std::string& commit) const {
  const base::MutexLock one_at_a_time(stages_);
  std::shared_ptr<const snapshot::Snapshot> live;
  {
    const base::MutexLock lock(state_);
    live = activator_.current();
  }
  Review review;
  review.commit = commit;
  if (live != nullptr) review.generation = live->generation;
  HG_TRY(const auto tree, repository.tree(commit), "reading {}", commit);
  tree->set_layout(layout_);
  HG_TRY(const auto verdict, verify(repository, commit), "review");
  if (verdict && !verdict->good()) {
    review.refusal = Refusal{Stage::Verify, verdict->diagnostics};
    return review;
  }
  if (verdict) review.signers = verdict->signers;
  std::vector<CommitMessage> messages;
  if (live != nullptr) {
    HG_TRY(messages, repository.messages(live->commit, commit), "reading {}", commit);
  }
  review.refusal = take_through_stages(*tree, messages, live.get(), review);
  if (tree->damaged()) return fail(Blame::Self, "{} cannot be read whole", commit);
  std::vector<const schema::Invalidation*> purges;
  for (const Purge& purge : review.plan.purges) purges.push_back(purge.invalidation.get());
  const auto touched = invalidator_.estimate(purges);
  for (std::size_t i = 0; i < purges.size(); ++i) review.plan.purges[i].touches = touched[i];
  return review;
}

Staged<Prepared> Reviewer::guard(Prepared prepared, const snapshot::Snapshot& live,
                                 const std::vector<CommitMessage>& messages) const {
  auto refusals =
      check_guards(live.configuration->model(), *prepared.model, messages,
                   [this](const std::vector<const schema::Invalidation*>& invalidations) {
                     return invalidator_.estimate(invalidations);
                   });
  if (refusals.empty()) return prepared;
  return tl::unexpected<Refusal>(Refusal{Stage::Guard, std::move(refusals)});
}

std::optional<Refusal> Reviewer::take_through_stages(const GitTree& tree,
                                                     const std::vector<CommitMessage>& messages,
                                                     const snapshot::Snapshot* live,
                                                     Review& review) const {
  snapshot::CompileOptions options = compile_;
  options.metric_slot = nullptr;  // nobody will count
  schema::Loader loader;
  auto staged = validate(loader, tree, [this](const schema::Model& model) {
    const base::MutexLock lock(state_);
    return activator_.history().ledger().check(model);
  });
  if (staged)
    staged =
        compile(std::move(*staged), options, live != nullptr ? live->configuration.get() : nullptr);
  if (staged) staged = test(std::move(*staged));
  if (staged && live != nullptr) staged = guard(std::move(*staged), *live, messages);
  if (!staged) return std::move(staged.error());
  review.cases = staged->cases;
  const schema::Model nothing;
  review.plan = make_plan(live != nullptr ? live->configuration->model() : nothing, *staged->model);
  review.plan.warnings = std::move(staged->diagnostics);
  return std::nullopt;
}

std::string to_text(const Review& review, bool colour) {
  const std::string id = review.commit.substr(0, 7);
  std::string text;
  if (review.refusal) {
    for (const schema::Diagnostic& diagnostic : review.refusal->diagnostics)
      text += diagnostic.text() + "\n";
    return text + fmt::format("headgate: {} is refused ({}); {}\n", id, reason(*review.refusal),
                              serving(review));
  }
  text = to_text(review.plan, colour);
  return text +
         fmt::format(
             "headgate: {} is accepted{}{}\n", id,
             review.cases > 0 ? fmt::format(", {} expectations hold", review.cases) : "",
             review.signers.empty() ? "" : ", signed by " + schema::join(review.signers, " and "));
}

Json to_json(const Review& review) {
  Json json{{"accepted", !review.refusal}, {"commit", review.commit}};
  if (!review.refusal) {
    json["expectations"] = review.cases;
    json["signers"] = review.signers;
    json["plan"] = to_json(review.plan);
    return json;
  }
  json["stage"] = name(review.refusal->stage);
  json["reason"] = reason(*review.refusal);
  json["diagnostics"] = Json::array();
  for (const schema::Diagnostic& diagnostic : review.refusal->diagnostics)
    json["diagnostics"].push_back(diagnostic.text());
  return json;
}

}  // namespace headgate::reconciler
