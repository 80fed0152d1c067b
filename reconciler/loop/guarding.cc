// SPDX-License-Identifier: MIT
// The guard window of the commit that went live last: what its watch asks for is done.
//
//   condition             while                                        ends
//   Watched GuardWindow   the commit's requests are watched            when the windows are over
//   Watched Comparing     they got worse: every second one is served   when the watch can tell
//                         by the configuration before
//   RolledBack Guard      it was worse than the configuration before   with another commit, or
//                                                                      `headgate resume`
#include "reconciler/loop/reconciler.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

/// How late a failing commit may be noticed, beyond what its requests tell.
constexpr std::chrono::milliseconds kLook{200};

std::string label(const snapshot::Snapshot& snapshot) {
  return fmt::format("generation {} ({})", snapshot.generation, snapshot.commit.substr(0, 7));
}

}  // namespace

/// The generation that `commit` will be held against when it goes live in the place of another; 0:
/// it will not be watched. With the activator's mutex held.
std::uint64_t Reconciler::against(const snapshot::Configuration& commit) const {
  const auto good = options_.count ? watch_.good_for(commit) : nullptr;
  return good == nullptr ? 0 : good->generation;
}

/// With the activator's mutex held, after another generation has gone live.
void Reconciler::watch_live(bool judged) {
  if (!options_.count) return;
  watch_.serves(activator_->current(), judged, options_.mono_now());
  show_watch("");
}

/// With the activator's mutex held.
void Reconciler::show_watch(const std::string& suspicion) {
  if (!watch_.is_watching()) return board_.remove("Watched");
  const auto left = std::max<Duration>(Duration::zero(), watch_.until() - options_.mono_now());
  std::string message =
      fmt::format("{} until {}, against {}", label(watch_.live()),
                  format_timestamp(activator_->now() + left), label(*watch_.good()));
  if (watch_.is_comparing()) message += ", which serves every second request: " + suspicion;
  board_.set("Watched", Condition::Value::True, watch_.is_comparing() ? "Comparing" : "GuardWindow",
             std::move(message));
}

void Reconciler::guard_until_stop() {
  for (bool going_on = true; going_on;) {
    guard(options_.mono_now());
    const auto deadline = std::chrono::steady_clock::now() + kLook;
    base::MutexLock lock(mutex_);
    while (!stopping_ && lock.wait_until(stop_, deadline) == std::cv_status::no_timeout) {
    }
    going_on = !stopping_;
  }
}

void Reconciler::guard(base::MonoTime now) {
  const base::MutexLock lock(state_mutex_);
  canary_.is_running() ? advance(now) : watch(now);
  save_progress(now, false);
}

/// With the activator's mutex held.
void Reconciler::watch(base::MonoTime now) {
  const Watch::Step step = watch_.look(now);
  switch (step.act) {
    case Watch::Act::Nothing:
      return;
    case Watch::Act::Compare:
      activator_->compare_with(*watch_.good());
      tell_watch("suspected", step.reason);
      return show_watch(step.reason);
    case Watch::Act::Clear:
      activator_->compare_no_more();
      tell_watch("cleared", step.reason);
      return show_watch("");
    case Watch::Act::RollBack:
      return roll_back_by_guard(step.reason);
    case Watch::Act::End:
      tell_watch("confirmed", "");
      return show_watch("");
  }
}

/// With the activator's mutex held.
void Reconciler::tell_watch(const char* type, const std::string& reason) {
  const snapshot::Snapshot& live = watch_.live();
  Json event{{"type", type}, {"generation", live.generation}, {"commit", live.commit}};
  if (!reason.empty()) event["reason"] = reason;
  note(event);
  log(fmt::format("{} is {}{}", label(live), type,
                  reason.empty() ? "" : ": " + schema::escape_control(reason)));
}

/// With the activator's mutex held: no commit goes live in between. Its configuration is at hand,
/// so nothing is read or compiled.
void Reconciler::roll_back_by_guard(const std::string& reason) {
  const std::shared_ptr<const snapshot::Snapshot> good = watch_.good();
  const auto earlier = activator_->find_earlier(good->generation);
  const Result<Activation> activation =
      earlier ? activator_->roll_back(*earlier, good->configuration, {reason, true}) : earlier;
  if (!activation) return say_once(activation.error().context);
  guard_trouble_.clear();
  show_applied(*activation, {});
  watch_live(false);
  log(fmt::format("{} is live: rolled back to generation {} by the guard: {}",
                  label(*activator_->current()), good->generation, schema::escape_control(reason)));
}

}  // namespace headgate::reconciler
