// SPDX-License-Identifier: MIT
// What others may see of the reconciler: revisions, conditions, events, as JSON and as metrics.
#include "reconciler/loop/board.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "appliance/snapshot/snapshot.h"
#include "reconciler/source/remote/remote.h"

namespace headgate::reconciler {
namespace {

std::string_view text(Condition::Value value) {
  switch (value) {
    case Condition::Value::True:
      return "True";
    case Condition::Value::False:
      return "False";
    case Condition::Value::Unknown:
      break;
  }
  return "Unknown";
}

Json or_null(const std::string& value) { return value.empty() ? Json() : Json(value); }

std::string short_id(const std::string& commit) { return commit.substr(0, 7); }

std::vector<std::string> texts(const std::vector<schema::Diagnostic>& diagnostics) {
  std::vector<std::string> lines;
  for (const schema::Diagnostic& diagnostic : diagnostics) lines.push_back(diagnostic.text());
  return lines;
}

}  // namespace

std::string rfc3339(base::WallTime time) {
  const auto since = time.time_since_epoch();
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", date.data(), since.count() % 1000);
}

Board::Board(std::string source, std::string ref) : ref_(std::move(ref)) {
  const base::MutexLock lock(mutex_);
  source_ = std::move(source);
  for (const char* type : {"Ready", "Reconciling", "Stalled", "SourceReady", "SourceVerified",
                           "Validated", "TestsPassed"})
    set_locked(type, Condition::Value::Unknown, "NotAttempted", "nothing has been attempted yet");
  set_locked("Stalled", Condition::Value::False, "Progressing", "");
}

void Board::set(const std::string& type, Condition::Value value, std::string reason,
                std::string message) {
  const base::MutexLock lock(mutex_);
  set_locked(type, value, std::move(reason), std::move(message));
}

void Board::set_locked(const std::string& type, Condition::Value value, std::string reason,
                       std::string message) {
  auto found = std::find_if(conditions_.begin(), conditions_.end(),
                            [&](const Condition& condition) { return condition.type == type; });
  if (found == conditions_.end()) found = conditions_.insert(conditions_.end(), Condition{});
  if (found->type.empty() || found->value != value)
    found->last_transition_time = rfc3339(base::wall_now());
  found->type = type;
  found->value = value;
  found->reason = std::move(reason);
  found->message = std::move(message);
  found->observed_generation = generation_;
}

void Board::remove(const std::string& type) {
  const base::MutexLock lock(mutex_);
  remove_locked(type);
}

void Board::remove_locked(const std::string& type) {
  std::erase_if(conditions_, [&](const Condition& condition) { return condition.type == type; });
}

void Board::set_of_configuration(const std::vector<snapshot::Condition>& conditions) {
  const base::MutexLock lock(mutex_);
  std::map<std::string, std::string> messages;  // several of a type: one condition
  for (const snapshot::Condition& condition : conditions) {
    std::string& message = messages[condition.type];
    message += (message.empty() ? "" : "; ") + condition.message;
  }
  for (const std::string& type : configuration_conditions_)
    if (messages.count(type) == 0)
      std::erase_if(conditions_,
                    [&](const Condition& condition) { return condition.type == type; });
  configuration_conditions_.clear();
  for (const auto& [type, message] : messages) {
    set_locked(type, Condition::Value::True, type, message);
    configuration_conditions_.push_back(type);
  }
}

void Board::source_succeeded(const std::string& desired) {
  const base::MutexLock lock(mutex_);
  desired_ = desired;
  last_source_success_ = base::wall_now();
  last_source_error_.clear();
  const std::string& name = source_report_.name;
  set_locked(
      "SourceReady", Condition::Value::True, "Fetched",
      fmt::format("{}{} is at {}{}", name.empty() ? ref_ : name,
                  name.empty() || name == short_name(ref_) ? "" : " (" + ref_ + ")",
                  short_id(desired), source_report_.remotes.size() > 1 ? ", from " + source_ : ""));
  update_ready();
}

void Board::source_looked_at(SourceReport report) {
  const base::MutexLock lock(mutex_);
  source_report_ = std::move(report);
  for (const RemoteReport& remote : source_report_.remotes)
    if (remote.state == RemoteReport::State::Serving) source_ = remote.url;
  const std::string trouble = source_report_.trouble();
  if (trouble.empty()) return remove_locked("SourceDegraded");
  set_locked("SourceDegraded", Condition::Value::True, trouble, source_report_.explain());
}

void Board::source_failed(const std::string& message) {
  const base::MutexLock lock(mutex_);
  last_source_error_ = message;
  set_locked("SourceReady", Condition::Value::False, "FetchFailed", message);
  update_ready();
}

void Board::attempted(const std::string& commit) {
  const base::MutexLock lock(mutex_);
  attempted_ = commit;
}

void Board::staged(const std::string& commit) {
  const base::MutexLock lock(mutex_);
  staged_ = commit;
}

void Board::applied(const Activation& activation, const std::vector<schema::Diagnostic>& warnings,
                    const std::deque<Activation>& history) {
  const base::MutexLock lock(mutex_);
  applied_ = activation.commit;
  generation_ = activation.generation;
  warnings_ = texts(warnings);
  history_ = history;
  update_ready();
}

void Board::refused(RefusedCommit commit) {
  const base::MutexLock lock(mutex_);
  const Stage stage = commit.refusal.stage;
  const std::string why(reason(commit.refusal));
  const auto& diagnostics = commit.refusal.diagnostics;
  const std::string first = diagnostics.empty() ? "" : ": " + diagnostics.front().text();
  const std::string message = short_id(commit.commit) + first;
  const bool valid = stage == Stage::Test || stage == Stage::Guard;
  if (stage == Stage::Verify) {
    set_locked("SourceVerified", Condition::Value::False, why, message);
    set_locked("Validated", Condition::Value::Unknown, "NotReached", short_id(commit.commit));
  } else {
    set_locked("Validated", valid ? Condition::Value::True : Condition::Value::False,
               valid ? "Valid" : why, valid ? short_id(commit.commit) : message);
  }
  if (stage == Stage::Guard) {
    set_locked("TestsPassed", Condition::Value::True, "Passed", short_id(commit.commit));
    set_locked("Guarded", Condition::Value::True, why, message);
  } else {
    remove_locked("Guarded");
  }
  if (stage == Stage::Test)
    set_locked("TestsPassed", Condition::Value::False, why, message);
  else if (stage != Stage::Guard)
    set_locked("TestsPassed", Condition::Value::Unknown, "NotReached", short_id(commit.commit));
  set_locked("Stalled", Condition::Value::True, "CommitRefused",
             fmt::format("{} was refused; a new commit is needed", short_id(commit.commit)));
  refused_ = std::move(commit);
  update_ready();
}

void Board::clear_refusal() {
  const base::MutexLock lock(mutex_);
  refused_.reset();
  remove_locked("Guarded");
  update_ready();
}

void Board::update_ready() {
  if (applied_.empty())
    return set_locked(
        "Ready", Condition::Value::False, "NothingApplied",
        last_source_error_.empty() ? "no configuration has been applied yet" : last_source_error_);
  if (refused_)
    return set_locked("Ready", Condition::Value::False, "CommitRefused",
                      fmt::format("{} was refused; {} serves on", short_id(refused_->commit),
                                  short_id(applied_)));
  if (!desired_.empty() && desired_ != applied_)
    return set_locked(
        "Ready", Condition::Value::False, "NotApplied",
        fmt::format("{} is wanted; {} serves", short_id(desired_), short_id(applied_)));
  set_locked("Ready", Condition::Value::True, "Applied",
             fmt::format("generation {} ({}) serves", generation_, short_id(applied_)));
}

void Board::add_event(std::uint64_t sequence, const std::string& line) {
  const base::MutexLock lock(mutex_);
  events_.emplace_back(sequence, line);
  if (events_.size() > History::kMaxEvents) events_.pop_front();
}

void Board::count_reconcile(const std::string& result, std::chrono::duration<double> duration) {
  const base::MutexLock lock(mutex_);
  ReconcileCount& count = reconciles_[result];
  ++count.count;
  count.seconds += duration.count();
}

bool Board::ready() const {
  const base::MutexLock lock(mutex_);
  return std::any_of(conditions_.begin(), conditions_.end(), [](const Condition& condition) {
    return condition.type == "Ready" && condition.value == Condition::Value::True;
  });
}

std::uint64_t Board::generation() const {
  const base::MutexLock lock(mutex_);
  return generation_;
}

double Board::source_age_seconds() const {
  const base::MutexLock lock(mutex_);
  if (!last_source_success_) return -1;
  return std::max(0.0,
                  std::chrono::duration<double>(base::wall_now() - *last_source_success_).count());
}

Json Board::conditions_json() const {
  Json list = Json::array();
  for (const Condition& condition : conditions_)
    list.push_back(Json{{"type", condition.type},
                        {"status", text(condition.value)},
                        {"reason", condition.reason},
                        {"message", condition.message},
                        {"lastTransitionTime", condition.last_transition_time},
                        {"observedGeneration", condition.observed_generation}});
  return list;
}

Json Board::refusal_json() const {
  if (!refused_) return Json();
  return Json{{"commit", refused_->commit},
              {"subject", refused_->subject},
              {"time", refused_->time},
              {"stage", name(refused_->refusal.stage)},
              {"reason", reason(refused_->refusal)}};
}

Json Board::status() const {
  const base::MutexLock lock(mutex_);
  Json json;
  json["generation"] = generation_;
  json["label"] =
      applied_.empty() ? Json() : Json(snapshot::generation_label(generation_, applied_));
  json["revisions"] = Json{{"desired", or_null(desired_)},
                           {"attempted", or_null(attempted_)},
                           {"staged", or_null(staged_)},
                           {"applied", or_null(applied_)},
                           {"lastGood", or_null(applied_)}};
  json["source"] =
      Json{{"url", source_},
           {"ref", ref_},
           {"resolved", or_null(source_report_.name)},
           {"path", or_null(source_report_.layout.path)},
           {"overlay", or_null(source_report_.layout.overlay)},
           {"urls", to_json(source_report_)},
           {"lastSuccess", last_source_success_ ? Json(rfc3339(*last_source_success_)) : Json()},
           {"error", or_null(last_source_error_)}};
  json["conditions"] = conditions_json();
  json["refused"] = refusal_json();
  json["diagnostics"] = refused_ ? Json(texts(refused_->refusal.diagnostics)) : Json::array();
  json["warnings"] = warnings_;
  json["history"] = Json::array();
  for (auto at = history_.rbegin(); at != history_.rend(); ++at)
    json["history"].push_back(to_json(*at));
  return json;
}

std::vector<std::pair<std::uint64_t, std::string>> Board::events(std::uint64_t after,
                                                                 std::size_t max) const {
  const base::MutexLock lock(mutex_);
  std::vector<std::pair<std::uint64_t, std::string>> result;
  for (const auto& event : events_)
    if (event.first > after && result.size() < max) result.push_back(event);
  return result;
}

std::vector<observe::Family> Board::families() const {
  const base::MutexLock lock(mutex_);
  std::vector<observe::Family> families;
  observe::Family revisions{
      "headgate_revision_info", "The commit in each state; the value is always 1.", "gauge", {}};
  const std::array<std::pair<const char*, const std::string*>, 5> states = {
      {{"desired", &desired_},
       {"attempted", &attempted_},
       {"staged", &staged_},
       {"applied", &applied_},
       {"lastGood", &applied_}}};
  for (const auto& [state, revision] : states)
    if (!revision->empty())
      revisions.samples.push_back(
          {fmt::format(R"(state="{}",revision="{}")", state, *revision), 1});
  families.push_back(std::move(revisions));

  observe::Family conditions{
      "headgate_reconcile_condition", "1 for the status that each condition has.", "gauge", {}};
  for (const Condition& condition : conditions_)
    for (const auto value :
         {Condition::Value::True, Condition::Value::False, Condition::Value::Unknown})
      conditions.samples.push_back(
          {fmt::format(R"(type="{}",status="{}")", condition.type, text(value)),
           condition.value == value ? 1.0 : 0.0});
  families.push_back(std::move(conditions));

  const double last_success =
      last_source_success_
          ? std::chrono::duration<double>(last_source_success_->time_since_epoch()).count()
          : 0;
  families.push_back({"headgate_source_last_success_timestamp_seconds",
                      "When the source was last read, in seconds since 1970; 0: never.",
                      "gauge",
                      {{"", last_success}}});
  for (observe::Family& family : headgate::reconciler::families(source_report_))
    families.push_back(std::move(family));
  families.push_back({"headgate_snapshot_generation",
                      "The generation that serves; 0: none.",
                      "gauge",
                      {{"", static_cast<double>(generation_)}}});
  observe::Family counts{
      "headgate_reconciles_total", "Rounds of the reconciler by result.", "counter", {}};
  observe::Family seconds{
      "headgate_reconcile_seconds_total", "Time spent in these rounds.", "counter", {}};
  for (const auto& [result, count] : reconciles_) {
    const std::string labels = fmt::format(R"(result="{}")", result);
    counts.samples.push_back({labels, static_cast<double>(count.count)});
    seconds.samples.push_back({labels, count.seconds});
  }
  families.push_back(std::move(counts));
  families.push_back(std::move(seconds));
  return families;
}

}  // namespace headgate::reconciler
