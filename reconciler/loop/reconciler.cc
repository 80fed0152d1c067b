// SPDX-License-Identifier: MIT
// The loop that makes the edge what the repository says: fetch, verify, validate, compile, test,
// activate, again and again.
//
//   a round ends as   when                                        the edge        next round
//   Unchanged         the ref names what is live, or what was     as before       after --poll
//                     refused, and nobody asked again, or
//                     nothing else has changed either
//   Applied           every stage passed                          new generation  after --poll
//   Staged            the same, and the commit goes live by       two serve       after --poll
//                     steps
//   Refused           verify, validate, compile or test found     as before       after --poll
//                     errors
//   SourceFailed      the remote or the mirror cannot be read     as before       soon, then later
//   StateFailed       the journal or a snapshot cannot be         as before       soon, then later
//                     written
#include "reconciler/loop/reconciler.h"

#include <pthread.h>

#include <algorithm>

#include "appliance/base/background.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using Clock = std::chrono::steady_clock;

/// How late what becomes due may be.
constexpr std::chrono::seconds kTick{1};

std::string short_id(const std::string& commit) { return commit.substr(0, 7); }

}  // namespace

std::string_view name(Round round) {
  switch (round) {
    case Round::Unchanged:
      return "unchanged";
    case Round::Applied:
      return "applied";
    case Round::Staged:
      return "staged";
    case Round::Refused:
      return "refused";
    case Round::SourceFailed:
      return "source_failed";
    case Round::StateFailed:
      return "state_failed";
  }
  return "";
}

Result<std::unique_ptr<Reconciler>> Reconciler::open(ReconcilerOptions options,
                                                     snapshot::SnapshotHolder& holder, Disk& disk) {
  auto activator = Activator::open(options.activator, holder, disk);
  if (!activator) return tl::unexpected<Error>(std::move(activator.error()));
  auto source = Source::open(options.source, (*activator)->state_path());
  if (!source) return tl::unexpected<Error>(std::move(source.error()));
  std::unique_ptr<Reconciler> reconciler(
      new Reconciler(std::move(options), std::move(*source), std::move(*activator), disk));
  reconciler->open_audit(disk);
  return reconciler;
}

Reconciler::Reconciler(ReconcilerOptions options, std::unique_ptr<Source> source,
                       std::unique_ptr<Activator> activator, Disk& disk)
    : options_(std::move(options)),
      source_(std::move(source)),
      activator_(std::move(activator)),
      invalidator_(state_mutex_, *activator_, options_.activator.log),
      reviewer_(stages_mutex_, state_mutex_, *activator_, invalidator_, options_.verify,
                options_.compile, options_.source.layout()),
      board_(source_->location().shown, source_->ref()),
      pace_(options_.source.poll),
      watch_(options_.count),
      canary_(options_.count),
      disk_(disk) {}

/// What the journal tells first is from before; the audit trail may lack the end of it.
void Reconciler::open_audit(Disk& disk) {
  auto opened = Audit::open(activator_->state_path() + "/audit.jsonl", disk);
  if (opened) {
    audit_ = std::move(*opened);
  } else {
    log("there is no audit trail: " + opened.error().context);
  }
  activator_->on_event(
      [this](std::uint64_t sequence, const std::string& line) { on_event(sequence, line); });
  events_are_new_ = true;
}

void Reconciler::on_event(std::uint64_t sequence, const std::string& line) {
  board_.add_event(sequence, line);
  if (audit_ != nullptr)
    if (const Status kept = audit_->append(sequence, line); !kept) log(kept.error().context);
  if (events_are_new_ && options_.on_event) options_.on_event(line);
}

Reconciler::~Reconciler() { stop(); }

std::shared_ptr<const snapshot::Snapshot> Reconciler::current() const {
  const base::MutexLock lock(state_mutex_);
  return activator_->current();
}

Round Reconciler::reconcile(bool asked) {
  const auto began = std::chrono::steady_clock::now();
  board_.set("Reconciling", Condition::Value::True, "Round", "");
  const Round round = run_round(asked);
  source_->rest();
  board_.count_reconcile(std::string(name(round)), std::chrono::steady_clock::now() - began);
  board_.set("Reconciling", Condition::Value::False, "Idle", "");
  const bool failed = round == Round::SourceFailed || round == Round::StateFailed;
  failed ? pace_.failed() : pace_.succeeded();
  return round;
}

Round Reconciler::run_round(bool asked) {
  if (asked && options_.refresh) {
    const base::MutexLock lock(stages_mutex_);
    options_.refresh(options_.compile);
  }
  const auto live = current();
  const auto fetched = source_->fetch(&cancellation_, live != nullptr ? live->commit : "");
  if (cancellation_.cancelled()) return Round::Unchanged;
  show_source();
  if (!fetched) return on_source_failure(fetched.error().context);
  const std::string& commit = *fetched;
  board_.source_succeeded(commit);
  if (source_failing_) {
    source_failing_ = false;
    record(Json{{"type", "sourceRecovered"}, {"commit", commit}});
    log(fmt::format("the source answers again: {} is at {}", source_->ref(), short_id(commit)));
  }
  if (must_wait(commit)) return Round::Unchanged;
  if (is_settled(commit, asked)) {
    if (commit != refused_commit_ &&
        !refused_commit_.empty()) {  // the ref went back to what is live
      refused_commit_.clear();
      board_.clear_refusal();
      const base::MutexLock lock(state_mutex_);
      show_applied(activator_->history().activations().back(), {});
    }
    const base::MutexLock lock(state_mutex_);
    show_pending("", std::nullopt);
    if (canary_.is_running() && activator_->current()->commit == commit) drop_staged();
    return Round::Unchanged;
  }
  if (waits_for_window(commit)) return Round::Unchanged;
  const Round round = apply(commit);
  if (round == Round::Applied)
    if (const Status packed = source_->maintain(&cancellation_); !packed)
      log(packed.error().context);
  return round;
}

/// Whether there is nothing to do for `commit`.
bool Reconciler::is_settled(const std::string& commit, bool asked) const {
  if (commit == refused_commit_)
    // What a machine lacks (a secret's file, say) may come without a commit.
    return !asked && refused_stage_ != Stage::Compile;
  const auto live = current();
  {
    const base::MutexLock lock(state_mutex_);
    if (canary_.is_running() && canary_.commit().commit == commit) return true;
  }
  if (live == nullptr || live->commit != commit) return false;
  if (live->configuration->model().layout != options_.source.layout()) return false;
  if (options_.verify.enabled()) {  // it may have gone live before this was asked for
    const base::MutexLock lock(state_mutex_);
    if (!activator_->history().activations().back().verified) return false;
  }
  return !(asked && has_changed_outside(*live));
}

/// What cannot be read any more has changed, too.
bool Reconciler::has_changed_outside(const snapshot::Snapshot& live) const {
  const auto model =
      std::shared_ptr<const schema::Model>(live.configuration, &live.configuration->model());
  const base::MutexLock lock(stages_mutex_);
  const auto now = snapshot::compile(model, options_.compile, live.configuration.get());
  return now.configuration == nullptr || !now.configuration->has_outside_of(*live.configuration);
}

void Reconciler::show_applied(const Activation& activation,
                              const std::vector<schema::Diagnostic>& warnings) {
  board_.applied(activation, warnings, activator_->history().activations());
  board_.set_of_configuration(activator_->current()->configuration->conditions());
  board_.set("Validated", Condition::Value::True, "Valid", short_id(activation.commit));
  board_.set("TestsPassed", Condition::Value::True, "Passed", short_id(activation.commit));
  board_.set("Stalled", Condition::Value::False, "Progressing", "");
  show_verified(activation);
  show_overrides();
}

void Reconciler::show_verified(const Activation& activation) {
  if (activation.verified)
    return board_.set("SourceVerified", Condition::Value::True, "Verified",
                      activation.signers.empty()
                          ? short_id(activation.commit) + ", named by the operator"
                          : fmt::format("{}, signed by {}", short_id(activation.commit),
                                        schema::join(activation.signers)));
  if (options_.verify.enabled())
    return board_.set(
        "SourceVerified", Condition::Value::Unknown, "AppliedBefore",
        fmt::format("{} went live before commits were verified", short_id(activation.commit)));
  const bool unheard = activator_->current()->configuration->model().signers != nullptr;
  board_.set("SourceVerified", Condition::Value::Unknown, "NotConfigured",
             fmt::format("{}this machine names no signers (--allowed-signers)",
                         unheard ? "signers.yaml is not enforced: " : ""));
}

Round Reconciler::on_source_failure(const std::string& message) {
  board_.source_failed(message);
  if (!source_failing_) {
    source_failing_ = true;
    record(Json{{"type", "sourceFailed"}, {"message", message}});
    log("the source cannot be read: " + message);
  }
  return Round::SourceFailed;
}

Round Reconciler::on_state_failure(const std::string& message) {
  board_.set("Stalled", Condition::Value::True, "StateWriteFailed", message);
  log("the state cannot be written: " + message);
  return Round::StateFailed;
}

void Reconciler::start() {
  thread_ = std::thread([this] {
    base::work_in_background(10);
    pthread_setname_np(pthread_self(), "headgate-git");
    loop();
  });
  ticker_ = std::thread([this] {
    base::work_in_background(10);
    pthread_setname_np(pthread_self(), "headgate-purge");
    tick_until_stop();
  });
  if (!options_.count) return;
  guard_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "headgate-guard");
    guard_until_stop();
  });
}

void Reconciler::tick_until_stop() {
  for (bool going_on = true; going_on;) {
    invalidator_.tick();
    const auto deadline = std::chrono::steady_clock::now() + kTick;
    base::MutexLock lock(mutex_);
    while (!stopping_ && lock.wait_until(stop_, deadline) == std::cv_status::no_timeout) {
    }
    going_on = !stopping_;
  }
}

void Reconciler::loop() {
  bool asked = false;
  do {
    reconcile(asked);
  } while (wait_for_next_round(&asked));
  record(Json{{"type", "stopped"}});
}

bool Reconciler::wait_for_next_round(bool* asked) {
  Clock::time_point deadline = Clock::now() + pace_.next_wait();
  {
    const base::MutexLock lock(state_mutex_);
    const auto suspended = suspension();
    for (const auto& end :
         {suspended ? std::optional(suspended->until) : std::nullopt, window_opens_})
      if (end)
        deadline = std::min<Clock::time_point>(deadline, Clock::now() + (*end - activator_->now()));
  }
  base::MutexLock lock(mutex_);
  while (!asked_ && !stopping_)
    if (lock.wait_until(wake_, deadline) == std::cv_status::timeout) break;
  *asked = asked_;
  asked_ = false;
  return !stopping_;
}

void Reconciler::on_swap(std::function<void(const Swap&)> callback) {
  const base::MutexLock lock(state_mutex_);
  activator_->on_swap(std::move(callback));
}

void Reconciler::reconcile_now() {
  const base::MutexLock lock(mutex_);
  asked_ = true;
  wake_.notify_all();
}

void Reconciler::stop() {
  cancellation_.cancel();
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    stop_.notify_all();
  }
  if (guard_.joinable()) guard_.join();
  if (ticker_.joinable()) ticker_.join();
  if (thread_.joinable()) thread_.join();
  const base::MutexLock lock(state_mutex_);
  save_progress(options_.mono_now(), true);
}

void Reconciler::record(const Json& event) {
  const base::MutexLock lock(state_mutex_);
  note(event);
}

/// With the activator's mutex held. An event that cannot be kept must not stop the edge;
/// activations have their own way.
void Reconciler::note(const Json& event) {
  if (const Status recorded = activator_->record(event); !recorded)
    log("an event was not recorded: " + recorded.error().context);
}

void Reconciler::log(const std::string& line) const {
  if (options_.activator.log) options_.activator.log(line);
}

}  // namespace headgate::reconciler
