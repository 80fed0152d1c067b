// SPDX-License-Identifier: MIT
// A commit that goes live step by step: what its canary asks for is done.
//
//   condition            while                             ends
//   RollingOut Canary    a share of the viewers is         with its last step, another commit, or
//                        served by the commit              `headgate rollback`
#include "reconciler/loop/reconciler.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

std::string label(const snapshot::Snapshot& snapshot) {
  return fmt::format("generation {} ({})", snapshot.generation, snapshot.commit.substr(0, 7));
}

}  // namespace

/// How `prepared` is to go live in the place of `live`; null: at once. One that comes while the
/// live one is under suspicion may be what mends it. With the activator's mutex held.
const schema::Rollout* Reconciler::find_steps(const Prepared& prepared) const {
  if (!options_.count || watch_.is_suspected()) return nullptr;
  return find_rollout(*activator_->current()->configuration, *prepared.configuration);
}

/// With the activator's mutex held.
Status Reconciler::stage(const Prepared& prepared, const schema::Tree& tree,
                         const CommitInfo& commit, const std::optional<Evidence>& evidence,
                         const schema::Rollout& rollout) {
  snapshot::Split nobody;
  HG_CHECK(activator_->stage(prepared, tree, commit, evidence, nobody), "staging");
  watch_.end();
  show_watch("");
  canary_.begin(activator_->current(), activator_->staged(), rollout, options_.mono_now());
  activator_->widen(split_of(canary_));
  show_canary();
  log(fmt::format("{} serves {:g} % of viewers", label(canary_.commit()), canary_.share()));
  return {};
}

/// With the activator's mutex held.
void Reconciler::show_canary() {
  board_.staged(canary_.is_running() ? canary_.commit().commit : "");
  if (!canary_.is_running()) return board_.remove("RollingOut");
  const auto left = std::max<Duration>(Duration::zero(), canary_.until() - options_.mono_now());
  board_.set(
      "RollingOut", Condition::Value::True, "Canary",
      fmt::format("{} serves {:g} % of viewers, step {} of {}, until {}", label(canary_.commit()),
                  canary_.share(), canary_.step(), canary_.rollout().steps.size(),
                  format_timestamp(activator_->now() + left)));
}

/// With the activator's mutex held.
void Reconciler::advance(base::MonoTime now) {
  const Canary::Step step = canary_.look(now, !suspension());
  switch (step.act) {
    case Canary::Act::Nothing:
      return;
    case Canary::Act::Widen:
      activator_->widen(split_of(canary_));
      note(Json{{"type", "widened"},
                {"generation", canary_.commit().generation},
                {"commit", canary_.commit().commit},
                {"step", canary_.step()},
                {"share", canary_.share()}});
      log(fmt::format("{} serves {:g} % of viewers", label(canary_.commit()), canary_.share()));
      return show_canary();
    case Canary::Act::Promote:
      return promote();
    case Canary::Act::Abort:
      if (const auto left = leave_staged({step.reason, true}); !left)
        say_once(left.error().context);
      return;
  }
}

/// With the activator's mutex held. What the ledger has come to say against it since it was staged
/// holds it.
void Reconciler::promote() {
  if (const auto late = objection(activator_->staged_prepared())) {
    if (const auto left = leave_staged({late->diagnostics.front().text(), true}); !left)
      say_once(left.error().context);
    return;
  }
  const auto activation = activator_->promote(against(*activator_->staged()->configuration));
  if (!activation) return say_once(activation.error().context);
  guard_trouble_.clear();
  canary_.end();
  show_canary();
  show_applied(*activation, {});
  watch_live(true);
  log(fmt::format("generation {} ({}) is live for all", activation->generation,
                  activation->commit.substr(0, 7)));
}

/// Back to what is live for all, under a new generation; the staged commit is held. With the
/// activator's mutex held. Errors: Blame::Self when the state cannot be written.
Result<Activation> Reconciler::leave_staged(const RollbackCause& cause) {
  const std::string left = label(canary_.commit());
  HG_TRY(const Activation activation,
         activator_->roll_back(activator_->history().activations().back(),
                               activator_->current()->configuration, cause),
         "rolling back");
  guard_trouble_.clear();
  canary_.end();
  show_canary();
  show_applied(activation, {});
  watch_live(false);
  log(fmt::format("{} serves nobody any more: rolled back by the {}{}", left,
                  cause.by_guard ? "guard" : "operator",
                  cause.reason.empty() ? "" : ": " + schema::escape_control(cause.reason)));
  return activation;
}

/// The source names what is live again, so the staged commit is not wanted any more. With the
/// activator's mutex held.
void Reconciler::drop_staged() {
  const auto renewed = activator_->renew();
  if (!renewed) return say_once(renewed.error().context);
  guard_trouble_.clear();
  canary_.end();
  show_canary();
  show_applied(*renewed, {});
  watch_live(false);
}

/// What is tried again many times a second until it succeeds.
void Reconciler::say_once(const std::string& trouble) {
  if (guard_trouble_ == trouble) return;
  guard_trouble_ = trouble;
  on_state_failure(trouble);
}

}  // namespace headgate::reconciler
