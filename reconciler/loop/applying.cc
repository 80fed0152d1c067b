// SPDX-License-Identifier: MIT
// What becomes of a commit: it is examined (read, verified, validated, compiled, tested, guarded),
// and then it goes live, is staged, or is refused.
#include "appliance/base/background.h"
#include "reconciler/loop/reconciler.h"
#include "schema/codes.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr std::size_t kMaxRecordedDiagnostics = 100;

std::string short_id(const std::string& commit) { return commit.substr(0, 7); }

std::vector<std::string> texts(const std::vector<schema::Diagnostic>& diagnostics) {
  std::vector<std::string> lines;
  for (const schema::Diagnostic& diagnostic : diagnostics) lines.push_back(diagnostic.text());
  return lines;
}

std::vector<std::string> at_most(std::vector<std::string> lines, std::size_t count) {
  if (lines.size() <= count) return lines;
  const std::size_t more = lines.size() - count;
  lines.resize(count);
  lines.push_back(fmt::format("… and {} more", more));
  return lines;
}

}  // namespace

/// A commit on its way through the stages.
struct Reconciler::Candidate {
  CommitInfo info;
  std::unique_ptr<GitTree> tree;
  std::optional<Evidence> evidence;
  Prepared prepared;
  bool rewritten = false;  ///< what is live is not among its ancestors
};

Round Reconciler::apply(const std::string& commit) {
  const base::YieldOften while_requests_wait;
  const base::MutexLock one_at_a_time(stages_mutex_);
  board_.attempted(commit);
  Candidate candidate;
  for (const auto step : {&Reconciler::read, &Reconciler::verify_signatures, &Reconciler::prepare})
    if (const auto ended = (this->*step)(commit, candidate)) return *ended;
  return put_live(candidate);
}

/// From the mirror, which is suspected when it cannot be done. What the round ends as; none: it
/// goes on.
std::optional<Round> Reconciler::read(const std::string& commit, Candidate& candidate) {
  auto info = source_->describe(commit);
  auto tree = source_->tree(commit);
  if (!info || !tree) {
    source_->distrust();
    return on_source_failure(info ? tree.error().context : info.error().context);
  }
  candidate.info = std::move(*info);
  candidate.tree = std::move(*tree);
  return std::nullopt;
}

/// The same of the signatures.
std::optional<Round> Reconciler::verify_signatures(const std::string& commit,
                                                   Candidate& candidate) {
  auto verdict = reviewer_.verify(*source_->repository(), commit);
  if (!verdict) {
    // The machine's own files and programs say nothing about the mirror.
    if (verdict.error().blame == Blame::Self && verdict.error().retry != Retry::SameOrigin)
      source_->distrust();
    return on_source_failure(verdict.error().context);
  }
  if (!*verdict) return std::nullopt;
  if (!(*verdict)->good()) return refuse(candidate.info, {Stage::Verify, (*verdict)->diagnostics});
  candidate.evidence = {(*verdict)->signers, (*verdict)->trusted_commit};
  board_.set("SourceVerified", Condition::Value::True, "Verified",
             fmt::format("{}: {} commits", short_id(commit), (*verdict)->commits));
  return std::nullopt;
}

/// The same of the stages that make a configuration of its files, and of the guards.
std::optional<Round> Reconciler::prepare(const std::string& commit, Candidate& candidate) {
  const auto live = current();
  auto staged = validate(loader_, *candidate.tree, [this](const schema::Model& model) {
    const base::MutexLock lock(state_mutex_);
    return activator_->history().ledger().check(model);
  });
  Result<std::vector<CommitMessage>> messages;
  if (live != nullptr) messages = source_->repository()->messages(live->commit, commit);
  if (candidate.tree->damaged() || !messages) {
    source_->distrust();
    return on_source_failure(fmt::format("the mirror is damaged: {} cannot be read", commit));
  }
  if (staged)
    staged = compile(std::move(*staged), options_.compile,
                     live != nullptr ? live->configuration.get() : nullptr);
  if (staged) staged = test(std::move(*staged));
  if (staged && live != nullptr) staged = reviewer_.guard(std::move(*staged), *live, *messages);
  if (!staged) return refuse(candidate.info, std::move(staged.error()));
  candidate.prepared = std::move(*staged);
  candidate.rewritten =
      live != nullptr && !live->commit.empty() && !source_->is_ancestor(live->commit, commit);
  return std::nullopt;
}

Round Reconciler::put_live(const Candidate& candidate) {
  std::optional<Refusal> late;
  Result<Activation> activated = Activation();
  {
    const base::MutexLock lock(state_mutex_);
    const std::string& commit = candidate.info.id;
    const History& history = activator_->history();
    if (history.is_held(commit)) return Round::Unchanged;  // rolled back meanwhile
    late = objection(candidate.prepared);
    if (!late) {
      const auto replaced = activator_->current();
      const bool another = replaced != nullptr && replaced->commit != commit;
      // Of what an operator let through, the operator has the last word.
      const bool judged = another && history.released() != commit;
      if (const auto* rollout = judged ? find_steps(candidate.prepared) : nullptr) {
        const Status begun = stage(candidate.prepared, *candidate.tree, candidate.info,
                                   candidate.evidence, *rollout);
        if (!begun) return on_state_failure(begun.error().context);
        forget_refusal();
        return Round::Staged;
      }
      activated = activate(candidate, judged);
    }
  }
  if (late) return refuse(candidate.info, std::move(*late));
  if (!activated) return on_state_failure(activated.error().context);
  tell_applied(candidate, *activated);
  return Round::Applied;
}

/// For all viewers. With the activator's mutex held.
Result<Activation> Reconciler::activate(const Candidate& candidate, bool judged) {
  auto activated = activator_->activate(candidate.prepared, *candidate.tree, candidate.info,
                                        candidate.rewritten, candidate.evidence,
                                        judged ? against(*candidate.prepared.configuration) : 0);
  if (!activated) return activated;
  canary_.end();
  show_canary();
  show_applied(*activated, candidate.prepared.diagnostics);
  watch_live(judged);
  return activated;
}

void Reconciler::tell_applied(const Candidate& candidate, const Activation& activation) {
  forget_refusal();
  board_.set("TestsPassed", Condition::Value::True, "Passed",
             fmt::format("{} cases", candidate.prepared.cases));
  for (const schema::Diagnostic& warning : candidate.prepared.diagnostics) log(warning.text());
  log(fmt::format(
      "generation {} ({}) is live{}{}", activation.generation, short_id(activation.commit),
      activation.invalidations > 0 ? fmt::format(", {} new invalidations", activation.invalidations)
                                   : "",
      candidate.rewritten ? "; the history was rewritten" : ""));
}

void Reconciler::forget_refusal() {
  refused_commit_.clear();
  board_.clear_refusal();
}

/// What speaks against activating now, though it did not, or could not, before.
std::optional<Refusal> Reconciler::objection(const Prepared& prepared) const {
  const Ledger& ledger = activator_->history().ledger();
  if (auto mismatches = ledger.check(*prepared.model); !mismatches.empty())
    return Refusal{Stage::Validate, std::move(mismatches)};
  if (activator_->current() == nullptr) return std::nullopt;  // nothing becomes active
  std::size_t patterns = ledger.active_patterns();
  const auto unseen = ledger.unseen(*prepared.model, 0, activator_->now());
  for (const LedgerEntry& entry : unseen) {
    patterns += patterns_of(entry.select);
    if (patterns_of(entry.select) == 0 || patterns <= cache::PurgeTable::kMaxPatterns) continue;
    const auto& invalidation = *prepared.model->invalidations.at(entry.id);
    // Tried again at every poll, as what a machine lacks.
    return Refusal{Stage::Compile,
                   {{invalidation.file, invalidation.line, 1, schema::Diagnostic::Severity::Error,
                     static_cast<int>(schema::Code::TooManyInvalidationPatterns),
                     fmt::format("with {} more than {} globs and conditions would be active",
                                 entry.id, cache::PurgeTable::kMaxPatterns),
                     "it is tried again by itself; exact paths, prefixes and tags have no limit"}}};
  }
  return std::nullopt;
}

Round Reconciler::refuse(const CommitInfo& commit, Refusal refusal) {
  const std::vector<std::string> lines = texts(refusal.diagnostics);
  const bool known = commit.id == refused_commit_ && lines == refused_diagnostics_;
  refused_commit_ = commit.id;
  refused_stage_ = refusal.stage;
  refused_diagnostics_ = lines;
  if (!known) {
    record(Json{{"type", "refused"},
                {"commit", commit.id},
                {"subject", commit.subject},
                {"author", commit.author},
                {"stage", name(refusal.stage)},
                {"reason", reason(refusal)},
                {"diagnostics", at_most(lines, kMaxRecordedDiagnostics)}});
    const auto live = current();
    log(fmt::format("{} is refused; {}", short_id(commit.id),
                    live != nullptr ? fmt::format("generation {} serves on", live->generation)
                                    : "nothing serves yet"));
    for (const std::string& line : at_most(lines, kMaxRecordedDiagnostics)) log(line);
  }
  board_.refused({commit.id, commit.subject, rfc3339(base::wall_now()), std::move(refusal)});
  return Round::Refused;
}

}  // namespace headgate::reconciler
