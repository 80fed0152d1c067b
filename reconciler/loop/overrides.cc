// SPDX-License-Identifier: MIT
// What stands above the repository for a while: an operator's words, and the windows of its Fleet.
//
//   condition    while                                   ends
//   Suspended    an operator said that commits wait      by itself, or by `headgate resume`
//   RolledBack   somebody went back from a commit        with another commit, or `headgate resume`
//   Pending      no change window is open                when one opens, or by `headgate resume`
#include <set>

#include "reconciler/loop/guards.h"
#include "reconciler/loop/reconciler.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

std::string short_id(const std::string& commit) { return commit.substr(0, 7); }

}  // namespace

/// Whether an operator said so. Where nothing serves, nothing is worth waiting for.
bool Reconciler::must_wait(const std::string& commit) {
  const base::MutexLock lock(state_mutex_);
  show_overrides();
  if (activator_->current() == nullptr) return false;
  return suspension().has_value() || activator_->history().is_held(commit);
}

/// Whether a window of the live Fleet must open first.
bool Reconciler::waits_for_window(const std::string& commit) {
  const auto live = current();
  std::optional<Timestamp> opens;
  if (live != nullptr && live->commit != commit)
    opens = next_window(live->configuration->model(), activator_->now());
  if (opens && is_emergency(live->commit, commit)) {
    record(Json{{"type", "overridden"}, {"commit", commit}});
    log(
        fmt::format("{} goes live outside of the change windows: its message says so, and two "
                    "signed it",
                    short_id(commit)));
    opens.reset();
  }
  const base::MutexLock lock(state_mutex_);
  if (activator_->history().released() == commit) opens.reset();
  show_pending(commit, opens);
  return opens.has_value();
}

/// With the activator's mutex held.
void Reconciler::show_pending(const std::string& commit, std::optional<Timestamp> opens) {
  pending_commit_ = opens ? commit : "";
  window_opens_ = opens;
  if (!opens) return board_.remove("Pending");
  board_.set("Pending", Condition::Value::True, "ChangeWindow",
             fmt::format("{} waits for the window that opens at {}", short_id(commit),
                         format_timestamp(*opens)));
}

/// Whether two people say so, each in the message of a commit that they signed: one must not be
/// able to, and only signatures tell two from one.
bool Reconciler::is_emergency(const std::string& live, const std::string& commit) const {
  const Repository& repository = *source_->repository();
  std::set<std::string> commits;
  const auto messages = repository.messages(live, commit);
  if (!messages) return false;  // the commit waits, and is read again by the next round
  for (const CommitMessage& message : *messages)
    if (!find_trailer(message.text, "Headgate-Override").value_or("").empty())
      commits.insert(message.commit);
  if (commits.size() < 2) return false;
  const auto verdict = reviewer_.verify(repository, commit);
  if (!verdict || !*verdict || !(*verdict)->good()) return false;
  std::set<std::string> people;
  for (const auto& [signed_commit, signer] : (*verdict)->signed_by)
    if (commits.count(signed_commit) > 0) people.insert(signer);
  return people.size() >= 2;
}

/// The one that holds now, with the activator's mutex held.
std::optional<Suspension> Reconciler::suspension() const {
  const auto& suspension = activator_->history().suspension();
  if (!suspension || suspension->until <= activator_->now()) return std::nullopt;
  return suspension;
}

std::optional<Timestamp> Reconciler::suspended_until() {
  const base::MutexLock lock(state_mutex_);
  const auto suspended = suspension();
  if (!suspended) return std::nullopt;
  return suspended->until;
}

/// With the activator's mutex held.
void Reconciler::show_overrides() {
  if (const auto suspended = suspension())
    board_.set("Suspended", Condition::Value::True, "Operator",
               fmt::format("until {}: {}", format_timestamp(suspended->until), suspended->reason));
  else
    board_.remove("Suspended");
  const auto& held = activator_->history().held();
  if (held.empty()) return board_.remove("RolledBack");
  std::vector<std::string> commits;
  for (const HeldCommit& each : held) commits.push_back(short_id(each.commit));
  const HeldCommit& last = held.back();
  board_.set(
      "RolledBack", Condition::Value::True, last.by_guard ? "Guard" : "Operator",
      fmt::format("{} {} held until another commit comes{}", schema::join(commits),
                  held.size() == 1 ? "is" : "are", last.reason.empty() ? "" : ": " + last.reason));
}

Result<Activation> Reconciler::roll_back(std::uint64_t generation, const std::string& reason) {
  const base::MutexLock one_at_a_time(stages_mutex_);  // nobody else activates meanwhile
  Result<Activation> earlier = Activation();
  std::shared_ptr<const snapshot::Snapshot> live;
  {
    const base::MutexLock lock(state_mutex_);
    if (canary_.is_running()) {
      auto left = leave_staged({reason});
      if (!left || generation == 0) return left;
    }
    earlier = activator_->find_earlier(generation);
    live = activator_->current();
  }
  if (!earlier) return earlier;
  HG_TRY(const Prepared prepared,
         activator_->load(earlier->digest, loader_, options_.compile, live->configuration.get()),
         "generation {} cannot be resumed", earlier->generation);
  const base::MutexLock lock(state_mutex_);
  HG_TRY(const Activation activation,
         activator_->roll_back(*earlier, prepared.configuration, {reason}), "rolling back");
  show_applied(activation, {});
  watch_live(false);
  log(fmt::format("generation {} ({}) is live: rolled back to generation {} by the operator{}",
                  activation.generation, short_id(activation.commit), earlier->generation,
                  reason.empty() ? "" : ": " + schema::escape_control(reason)));
  return activation;
}

Result<Timestamp> Reconciler::suspend(Duration how_long, const std::string& reason) {
  const Timestamp until = activator_->now() + how_long;
  {
    const base::MutexLock lock(state_mutex_);
    HG_CHECK(activator_->record(Json{
                 {"type", "suspended"}, {"until", format_timestamp(until)}, {"reason", reason}}),
             "the state cannot be written");
    show_overrides();
  }
  log("no commit goes live until " + format_timestamp(until) + ": " +
      schema::escape_control(reason));
  reconcile_now();  // and wake up when it ends
  return until;
}

Status Reconciler::resume_following() {
  {
    const base::MutexLock lock(state_mutex_);
    const std::vector<HeldCommit>& held = activator_->history().held();
    if (!suspension() && held.empty() && pending_commit_.empty())
      return fail(Blame::Config,
                  "there is nothing to end: neither suspended nor rolled back, and nothing waits");
    Json resumed{{"type", "resumed"}};
    if (const std::string through = held.empty() ? pending_commit_ : held.front().commit;
        !through.empty())
      resumed["commit"] = through;
    HG_CHECK(activator_->record(resumed), "the state cannot be written");
    show_overrides();
  }
  log("following the repository again, by the operator");
  reconcile_now();
  return {};
}

}  // namespace headgate::reconciler
