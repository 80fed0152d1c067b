// SPDX-License-Identifier: MIT
// Fills the cache before viewers ask: at boot, when a commit goes live, after purges, at a moment,
// and when it is told to.
//
// One thread asks for everything. What it shares with others is behind one mutex, which is held
// neither while requests are made nor while an event is recorded: those who purge hold the
// reconciler's mutex when they come here.
#include "appliance/warm/warmer.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>

#include "appliance/base/background.h"
#include "appliance/warm/triggers.h"
#include "schema/model/alias.h"
#include "schema/text.h"

namespace headgate::warm {
namespace {

using Clock = std::chrono::steady_clock;
using Label = std::pair<const char*, std::uint64_t>;

constexpr std::chrono::milliseconds kLongestWait{1000};  ///< so long may notBefore be overslept
constexpr std::size_t kMaxUnderWay = 128;                ///< requests of all runs together
constexpr std::size_t kMaxRunsAfterPurges = 64;
constexpr std::size_t kRunsKept = 64;
constexpr int kMaxDepth = 2;  ///< an index of sitemaps, a multivariant playlist

constexpr const char* kBoot = "boot";
constexpr const char* kActivation = "activation";
constexpr const char* kPurge = "purge";

}  // namespace

struct Warmer::Totals {
  Progress progress;
  std::map<Run::State, std::uint64_t> runs;

  void add(const Run& run) {
    const Progress& other = run.agenda.progress();
    progress.done += other.done;
    progress.failed += other.failed;
    progress.skipped += other.skipped;
    progress.already_cached += other.already_cached;
    progress.not_stored += other.not_stored;
    progress.bytes += other.bytes;
    if (run.is_over()) ++runs[run.state];
  }
};

Warmer::Warmer(WarmerOptions options)
    : options_(std::move(options)), requester_(options_.serve), last_look_(options_.now()) {}

Warmer::~Warmer() { stop(); }

void Warmer::start() {
  thread_ = std::thread([this] {
    base::work_in_background(10);
    pthread_setname_np(pthread_self(), "headgate-warm");
    loop();
  });
}

void Warmer::stop() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& run : runs_)
      if (!run->is_over()) end(*run, Run::State::Stopped, Clock::now());
  }
  requester_.wake();
  if (thread_.joinable()) thread_.join();
}

void Warmer::serves(std::shared_ptr<const snapshot::Snapshot> snapshot,
                    const std::vector<schema::Invalidation>& invalidated) {
  {
    const base::MutexLock lock(mutex_);
    if (stopping_) return;
    const auto before = std::exchange(configuration_, snapshot->configuration);
    if (before == nullptr)
      boot();
    else if (before != configuration_)
      take_over(*before);
    for (const schema::Invalidation& invalidation : invalidated) after(invalidation);
  }
  requester_.wake();
}

void Warmer::boot() {
  for (const auto& [name, list] : configuration_->model().warm_lists)
    if (runs_on(*list, Trigger::Boot)) begin(*list, kBoot);
}

/// What is asked for now is what the new configuration wants.
void Warmer::take_over(const snapshot::Configuration& before) {
  const schema::Model& old = before.model();
  const schema::Model& now = configuration_->model();
  const auto is_current = [&](const std::string& name) {
    const auto then = old.warm_lists.find(name);
    const auto found = now.warm_lists.find(name);
    return then != old.warm_lists.end() && found != now.warm_lists.end() &&
           is_same(*then->second, *found->second) &&
           !caches_differently(old, now, found->second->distribution);
  };
  std::map<std::string, std::string> replaced;  // list → trigger
  for (const auto& run : runs_) {
    const bool keep =
        run->list.empty() ? serving(run->distribution) != nullptr : is_current(run->list);
    if (run->is_over() || keep) continue;
    end(*run, Run::State::Replaced, Clock::now());
    if (!run->list.empty()) replaced[run->list] = run->trigger;
  }
  for (const auto& [name, list] : now.warm_lists) {
    if (const auto found = replaced.find(name); found != replaced.end())
      begin(*list, found->second);
    else if (runs_on(*list, Trigger::Activation) && !is_current(name))
      begin(*list, kActivation);
  }
}

/// Those who have been purged are asked for again, and what the invalidation names itself.
void Warmer::after(const schema::Invalidation& invalidation) {
  for (const auto& [name, list] : configuration_->model().warm_lists)
    if (list->distribution == invalidation.distribution && runs_on(*list, Trigger::Purge))
      begin(*list, kPurge);
  const schema::Distribution* distribution = serving(invalidation.distribution);
  if (!invalidation.warm || distribution == nullptr) return;
  const auto busy = std::count_if(runs_.begin(), runs_.end(), [](const auto& run) {
    return !run->is_over() && run->list.empty();
  });
  if (static_cast<std::size_t>(busy) >= kMaxRunsAfterPurges) {
    if (options_.log)
      options_.log(
          fmt::format("nothing is warmed after the invalidation {}: {} others are still "
                      "being warmed after",
                      invalidation.id(), busy));
    return;
  }
  const std::string host =
      invalidation.warm->host.empty() ? schema::first_host(*distribution) : invalidation.warm->host;
  auto run = run_of(++last_run_, invalidation.id(), *invalidation.warm, host);
  run->distribution = invalidation.distribution;
  add(std::move(run), kPurge);
}

const schema::Distribution* Warmer::serving(const std::string& distribution) const {
  if (configuration_ == nullptr) return nullptr;
  const snapshot::Distribution* found = configuration_->find_by_name(distribution);
  return found == nullptr || !found->enabled ? nullptr : found->source.get();
}

/// Null when it may not run now.
Run* Warmer::begin(const schema::WarmList& list, const std::string& trigger) {
  const schema::Distribution* distribution = serving(list.distribution);
  if (distribution == nullptr) return nullptr;
  const bool too_early = list.not_before && options_.now() < *list.not_before;
  if (too_early && trigger != "command") return nullptr;
  if (Run* running = active(list.name)) {
    // What it has asked for already may be among what became invalid.
    running->again = running->again || trigger == kPurge;
    return running;
  }
  const std::string host = list.host.empty() ? schema::first_host(*distribution) : list.host;
  return add(run_of(++last_run_, list, host), trigger);
}

Run* Warmer::add(std::unique_ptr<Run> run, const std::string& trigger) {
  run->trigger = trigger;
  run->started = options_.now();
  run->began = Clock::now();
  runs_.push_back(std::move(run));
  return runs_.back().get();
}

Run* Warmer::active(const std::string& list) const {
  const auto found = std::find_if(runs_.begin(), runs_.end(), [&](const auto& run) {
    return run->list == list && !run->is_over();
  });
  return found == runs_.end() ? nullptr : found->get();
}

Run* Warmer::find(std::uint64_t id) const {
  const auto found =
      std::lower_bound(runs_.begin(), runs_.end(), id,
                       [](const auto& run, std::uint64_t wanted) { return run->id < wanted; });
  return found == runs_.end() || (*found)->id != id ? nullptr : found->get();
}

void Warmer::run_due() {
  const Timestamp now = options_.now();
  const Timestamp before = std::exchange(last_look_, now);
  if (configuration_ == nullptr) return;
  for (const auto& [name, list] : configuration_->model().warm_lists)
    if (list->not_before && before < *list->not_before && *list->not_before <= now)
      begin(*list, "notBefore");
}

Asked Warmer::ask(const std::string& list) {
  Asked asked;
  {
    const base::MutexLock lock(mutex_);
    if (configuration_ == nullptr || stopping_) {
      asked.problem = "no configuration has been applied yet";
      return asked;
    }
    const auto& lists = configuration_->model().warm_lists;
    asked.is_unknown = !list.empty() && lists.count(list) == 0;
    if (asked.is_unknown) {
      std::vector<std::string> names;
      for (const auto& [name, known] : lists) names.push_back(name);
      asked.problem = fmt::format("there is no WarmList {}: {}", schema::in_quotes(list),
                                  schema::did_you_mean(list, names, "see headgate get warm"));
    } else if (lists.empty()) {
      asked.problem = "the configuration has no WarmList";
    }
    for (const auto& [name, known] : lists)
      if (list.empty() || name == list)
        if (const Run* run = begin(*known, "command")) asked.runs.push_back(run->id);
    if (asked.runs.empty() && asked.problem.empty())
      asked.problem = "the distribution is not enabled, so there is nothing to warm";
  }
  requester_.wake();
  return asked;
}

void Warmer::loop() {
  for (bool going_on = true; going_on;) {
    const auto ended = requester_.perform();
    std::vector<std::pair<std::uint64_t, const Transfer*>> begun;
    std::vector<Json> events;
    std::chrono::milliseconds wait{0};
    {
      const base::MutexLock lock(mutex_);
      const Time now = Clock::now();
      for (const Requester::Ended& end : ended) note(end, now);
      run_due();
      take_requests(now, begun);
      end_runs(now, events);
      wait = until_next(now);
      going_on = !stopping_;
    }
    for (const auto& [token, transfer] : begun) {
      Requester::Sink sink;
      if (transfer->document != nullptr)
        sink = [document = transfer->document](std::string_view octets) {
          return document->feed(octets);
        };
      requester_.start(token, transfer->request, std::move(sink));
    }
    for (const Json& event : events) report(event);
    if (going_on && begun.empty()) requester_.wait(wait);
  }
  requester_.cancel();  // the edge would wait for these to finish
}

void Warmer::note(const Requester::Ended& ended, Time now) {
  const auto found = transfers_.find(ended.token);
  const Transfer transfer = std::move(found->second);
  transfers_.erase(found);
  Run* run = find(transfer.run);
  if (run == nullptr || run->is_over()) return;
  Outcome outcome = ended.outcome;
  const auto& [host, path] = transfer.item.target;
  if (transfer.document != nullptr && outcome.status == 200) {
    transfer.document->end();
    if (const std::string& problem = transfer.document->problem(); !problem.empty()) {
      outcome.unusable = true;
      run->problem = fmt::format("{}: {}", path, problem);
    }
    expand(*run, transfer.item, *transfer.document);
  } else if (outcome.status == 0) {
    run->problem = fmt::format("{}: {}", path, ended.problem);
  } else if (outcome.status >= 400) {
    run->problem = fmt::format("{}: {}", path, outcome.status);
  }
  run->agenda.ended(transfer.item, outcome, now);
}

/// Also what an unusable document lists before it breaks off.
void Warmer::expand(Run& run, const Item& item, const Document& document) {
  for (const Document::Found& found : document.found()) {
    auto target = resolve(item.target, found.url);
    const snapshot::Distribution* owner = target ? configuration_->find(target->host) : nullptr;
    const bool too_deep = found.is_document && item.depth >= kMaxDepth;
    if (owner == nullptr || owner->name != run.distribution || too_deep) {
      run.agenda.skip();
      continue;
    }
    Item next;
    next.kind = found.is_document ? item.kind : Item::Kind::Object;
    next.target = std::move(*target);
    next.depth = item.depth + 1;
    run.agenda.add(std::move(next));
  }
}

void Warmer::take_requests(Time now,
                           std::vector<std::pair<std::uint64_t, const Transfer*>>& begun) {
  for (const auto& run : runs_) {
    while (!run->is_over() && transfers_.size() < kMaxUnderWay) {
      auto item = run->agenda.take(now);
      if (!item) break;
      Transfer transfer;
      transfer.run = run->id;
      if (item->kind != Item::Kind::Object)
        transfer.document = std::make_shared<Document>(item->kind);
      transfer.request = {item->target, run->headers, transfer.document != nullptr};
      transfer.item = std::move(*item);
      const auto added = transfers_.emplace(++last_token_, std::move(transfer)).first;
      begun.emplace_back(added->first, &added->second);
    }
  }
}

void Warmer::end(Run& run, Run::State state, Time now) {
  run.state = state;
  run.ended = now;
  totals_[run.distribution].add(run);
  ended_.push_back(run.id);
}

void Warmer::end_runs(Time now, std::vector<Json>& events) {
  std::vector<std::string> again;
  for (const auto& run : runs_) {
    if (run->is_over() || !run->agenda.is_over()) continue;
    end(*run, run->agenda.gave_up() ? Run::State::GaveUp : Run::State::Completed, now);
    if (run->again) again.push_back(run->list);
  }
  for (const std::uint64_t id : std::exchange(ended_, {}))
    if (const Run* run = find(id); run != nullptr && !stopping_)
      events.push_back(run->to_json(now));
  if (!stopping_)
    for (const std::string& name : again) {
      const auto& lists = configuration_->model().warm_lists;
      if (const auto list = lists.find(name); list != lists.end()) begin(*list->second, kPurge);
    }
  forget_old();
}

/// The newest run of each list stays.
void Warmer::forget_old() {
  if (runs_.size() <= kRunsKept) return;
  std::map<std::string, std::uint64_t> newest;
  for (const auto& run : runs_)
    if (!run->list.empty()) newest[run->list] = run->id;
  std::size_t surplus = runs_.size() - kRunsKept;
  const auto& lists = configuration_->model().warm_lists;
  std::erase_if(runs_, [&](const auto& run) {
    const bool shown = newest[run->list] == run->id && lists.count(run->list) != 0;
    if (surplus == 0 || !run->is_over() || shown) return false;
    --surplus;
    return true;
  });
}

std::chrono::milliseconds Warmer::until_next(Time now) const {
  auto wait = kLongestWait;
  for (const auto& run : runs_) {
    const auto next = run->is_over() ? std::nullopt : run->agenda.next();
    if (!next) continue;
    // Rounded up: too early would be for nothing.
    wait = std::min(wait, std::max(std::chrono::milliseconds(0),
                                   std::chrono::ceil<std::chrono::milliseconds>(*next - now)));
  }
  // When all requests that may be under way are, the end of one wakes us.
  return transfers_.size() >= kMaxUnderWay ? kLongestWait : wait;
}

void Warmer::report(const Json& run) const {
  Json event;
  event["type"] = "warmed";
  for (const auto& [key, value] : run.items())
    if (key != "id" && key != "rate" && key != "started")
      event[key == "state" ? "result" : key] = value;
  if (options_.record) options_.record(event);
  if (!options_.log) return;
  const std::string problem = run.value("problem", "");
  const std::string whose = run.contains("list")
                                ? "warm list " + run.value("list", "")
                                : "warming after the invalidation " + run.value("invalidation", "");
  options_.log(fmt::format(
      "{} ({}): {}: {} of {} asked for in {:.1f} s, {} failed, {} skipped{}", whose,
      run.value("trigger", ""), run.value("state", ""), run.value("done", std::uint64_t{0}),
      run.value("total", std::uint64_t{0}), run.value("seconds", 0.0),
      run.value("failed", std::uint64_t{0}), run.value("skipped", std::uint64_t{0}),
      problem.empty() ? "" : "; " + schema::escape_control(problem)));
}

Json Warmer::to_json() const {
  const base::MutexLock lock(mutex_);
  const Time now = Clock::now();
  Json json{{"lists", Json::array()}, {"runs", Json::array()}};
  if (configuration_ != nullptr)
    for (const auto& [name, list] : configuration_->model().warm_lists) {
      Json shown{{"name", name}, {"distribution", list->distribution}};
      if (list->not_before) shown["notBefore"] = format_timestamp(*list->not_before);
      json["lists"].push_back(std::move(shown));
    }
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run)
    json["runs"].push_back((*run)->to_json(now));
  return json;
}

std::vector<observe::Family> Warmer::families() const {
  const base::MutexLock lock(mutex_);
  std::map<std::string, Totals> totals = totals_;
  std::uint64_t active = 0;
  std::uint64_t pending = 0;
  for (const auto& run : runs_) {
    if (run->is_over()) continue;
    totals[run->distribution].add(*run);
    const Progress& progress = run->agenda.progress();
    ++active;
    pending += progress.total - progress.done - progress.failed - progress.skipped;
  }
  observe::Family requests{"headgate_warm_requests_total",
                           "What the edge has asked itself for, to warm its cache.",
                           "counter",
                           {}};
  observe::Family runs{"headgate_warm_runs_total", "Runs that have ended.", "counter", {}};
  observe::Family bytes{"headgate_warm_bytes_total", "Octets of bodies that came.", "counter", {}};
  const auto add = [](observe::Family& family, const std::string& labels, std::uint64_t value) {
    family.samples.push_back({labels, static_cast<double>(value)});
  };
  for (const auto& [distribution, total] : totals) {
    const std::string whose = fmt::format("distribution=\"{}\"", distribution);
    const Progress& sum = total.progress;
    for (const auto& [outcome, count] :
         {Label("fetched", sum.done - sum.already_cached - sum.not_stored),
          Label("already_cached", sum.already_cached), Label("not_stored", sum.not_stored),
          Label("failed", sum.failed), Label("skipped", sum.skipped)})
      add(requests, fmt::format("{},outcome=\"{}\"", whose, outcome), count);
    for (const auto& [state, count] : total.runs)
      add(runs, fmt::format("{},result=\"{}\"", whose, name(state)), count);
    add(bytes, whose, sum.bytes);
  }
  observe::Family running{"headgate_warm_runs_active", "Runs that are under way.", "gauge", {}};
  add(running, "", active);
  observe::Family waiting{
      "headgate_warm_requests_pending", "Requests of these that have no answer yet.", "gauge", {}};
  add(waiting, "", pending);
  return {std::move(requests), std::move(runs), std::move(bytes), std::move(running),
          std::move(waiting)};
}

}  // namespace headgate::warm
