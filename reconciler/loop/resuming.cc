// SPDX-License-Identifier: MIT
// What a restart takes up again: what is live, what goes live by steps, and the guard window, each
// where it was.
#include <set>

#include "reconciler/loop/reconciler.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

/// How much longer a step or a window may become by an end without warning.
constexpr std::chrono::seconds kSave{5};

}  // namespace

bool Activator::resume(schema::Loader& loader, const snapshot::CompileOptions& options,
                       bool with_staged) {
  const std::deque<Activation> activations = history_.activations();  // `commit` appends to it
  std::set<std::string> tried;
  for (auto at = activations.rbegin(); at != activations.rend(); ++at) {
    if (!tried.insert(at->digest).second) continue;
    auto prepared = load(at->digest, loader, options);
    if (!prepared) {
      log(fmt::format("generation {} cannot be resumed: {}", at->generation,
                      prepared.error().context));
      continue;
    }
    // A generation that was only staged has been seen, too.
    if (at == activations.rbegin() && at->generation == history_.generation()) {
      publish(*at, prepared->configuration, true);
      return true;
    }
    if (at == activations.rbegin() && with_staged &&
        resume_staged(loader, options, *at, prepared->configuration))
      return true;
    const auto renewed = renew(*at, prepared->configuration);
    if (!renewed)
      log(fmt::format("generation {} cannot be resumed: {}", at->generation,
                      renewed.error().context));
    return renewed.has_value();
  }
  return false;
}

bool Activator::resume_staged(schema::Loader& loader, const snapshot::CompileOptions& options,
                              const Activation& live,
                              std::shared_ptr<const snapshot::Configuration> configuration) {
  const std::optional<Activation>& staged = history_.staged();
  if (!staged || staged->generation != history_.generation()) return false;
  auto prepared = load(staged->digest, loader, options, configuration.get());
  if (!prepared) {
    log(fmt::format("generation {}, which was going live by steps, cannot be resumed: {}",
                    staged->generation, prepared.error().context));
    return false;
  }
  publish(live, std::move(configuration), true);
  std::optional<Evidence> evidence;
  if (staged->verified) evidence = Evidence{staged->signers, staged->trusted_commit};
  auto snapshot = make_snapshot(staged->generation, staged->commit, prepared->configuration);
  snapshot->purges = current_->purges;
  staged_ = Staged{std::move(*prepared),
                   {staged->commit, staged->subject, staged->author, ""},
                   staged->digest,
                   evidence,
                   snapshot};
  return true;
}

Result<std::shared_ptr<const snapshot::Snapshot>> Activator::recall(
    std::uint64_t generation, schema::Loader& loader, const snapshot::CompileOptions& options) {
  HG_TRY(const Activation earlier, find_earlier(generation), "recalling it");
  HG_TRY(const Prepared prepared,
         load(earlier.digest, loader, options, current_->configuration.get()), "recalling it");
  auto snapshot = make_snapshot(generation, earlier.commit, prepared.configuration);
  snapshot->purges = current_->purges;
  return std::shared_ptr<const snapshot::Snapshot>(std::move(snapshot));
}

Result<Prepared> Activator::load(const std::string& digest, schema::Loader& loader,
                                 const snapshot::CompileOptions& options,
                                 const snapshot::Configuration* previous) const {
  HG_TRY(const std::unique_ptr<StoredTree> tree, store_.read(digest), "resuming");
  // No ledger (all of it is known already) and no expectations (they held when it went live).
  auto staged = validate(loader, *tree, nullptr);
  if (staged) staged = compile(std::move(*staged), options, previous);
  if (staged) return std::move(*staged);
  const auto& diagnostics = staged.error().diagnostics;
  return fail(Blame::Config, "{}",
              diagnostics.empty() ? "it is not valid any more" : diagnostics.front().text());
}

bool Reconciler::resume() {
  record(Json{{"type", "started"},
              {"version", options_.version},
              {"source", source_->location().shown},
              {"ref", source_->ref()}});
  const base::MutexLock lock(state_mutex_);
  const History& history = activator_->history();
  const std::optional<Activation> staged = history.staged();
  const std::optional<WatchedCommit> watched = history.watched();
  // What was staged before commits had to be verified is verified as any other.
  const bool with_staged =
      options_.count && staged && (staged->verified || !options_.verify.enabled());
  if (!activator_->resume(loader_, options_.compile, with_staged)) return false;
  const Activation& activation = history.activations().back();
  show_applied(activation, {});
  watch_live(false);
  log(fmt::format("generation {} ({}) is live, resumed from {}", activation.generation,
                  activation.commit.substr(0, 7), options_.activator.state));
  if (activator_->staged() != nullptr)
    resume_canary();
  else if (watched && watched->generation == activation.generation)
    resume_watch(*watched);
  return true;
}

/// With the activator's mutex held.
void Reconciler::resume_canary() {
  const auto& staged = activator_->staged();
  const schema::Rollout* rollout =
      find_rollout(*activator_->current()->configuration, *staged->configuration);
  if (rollout == nullptr) return drop_staged();  // another version of the program sees it so
  const std::size_t step = activator_->history().step();
  const Progress progress = progress_of(staged->generation, step);
  const auto left = progress.left.find("");
  const base::MonoTime now = options_.mono_now();
  watch_.end();
  show_watch("");
  canary_.begin(activator_->current(), staged, *rollout, now);
  canary_.go_on(step, left == progress.left.end() ? rollout->hold : left->second, now);
  activator_->widen(split_of(canary_));
  show_canary();
  log(fmt::format("generation {} ({}) serves {:g} % of viewers as before", staged->generation,
                  staged->commit.substr(0, 7), canary_.share()));
}

/// With the activator's mutex held. Without what the commit is held against it can only stay.
void Reconciler::resume_watch(const WatchedCommit& watched) {
  if (!options_.count) return;
  auto good = activator_->recall(watched.against, loader_, options_.compile);
  if (!good) return log("the guard window has ended early: " + good.error().context);
  watch_.go_on(activator_->current(), std::move(*good), watched.suspected,
               progress_of(watched.generation, 0).left, options_.mono_now());
  show_watch("");
}

/// What the file says about it; nothing when it speaks of something else.
Progress Reconciler::progress_of(std::uint64_t generation, std::size_t step) const {
  auto read = read_progress(progress_path());
  if (!read) {
    log("how long a commit has been going live is not known, so it begins anew: " +
        read.error().context);
    return {};
  }
  if (!*read || (*read)->generation != generation || (*read)->step != step) return {};
  return std::move(**read);
}

std::string Reconciler::progress_path() const { return activator_->state_path() + "/rollout"; }

/// With the activator's mutex held. `at_once`: however lately that has been done.
void Reconciler::save_progress(base::MonoTime now, bool at_once) {
  Progress progress;
  if (canary_.is_running()) {
    progress = {canary_.commit().generation, canary_.step(), {{"", canary_.left(now)}}};
  } else if (watch_.is_watching()) {
    progress = {watch_.live().generation, 0, watch_.left(now)};
  } else {
    return;
  }
  if (!at_once && now < saved_at_ + kSave) return;
  saved_at_ = now;
  const Status saved = write_progress(disk_, progress_path(), progress);
  if (!saved && !saving_fails_)
    log("a restart would begin the guard window, or the step, anew: " + saved.error().context);
  saving_fails_ = !saved;
}

}  // namespace headgate::reconciler
