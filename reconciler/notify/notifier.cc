// SPDX-License-Identifier: MIT
#include "reconciler/notify/notifier.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "appliance/base/background.h"
#include "reconciler/state/ledger.h"
#include "reconciler/state/sealed_file.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using schema::Notification;

constexpr std::size_t kMaxWaiting = 1000;
constexpr std::size_t kRemembered = 100;
constexpr Duration kLongestPause = std::chrono::minutes(5);

std::string_view name(Notification::Event event) {
  switch (event) {
    case Notification::Event::Activated:
      return "activated";
    case Notification::Event::Refused:
      return "refused";
    case Notification::Event::SourceFailed:
      return "sourceFailed";
    case Notification::Event::SourceRecovered:
      return "sourceRecovered";
    case Notification::Event::SourceSwitched:
      return "sourceSwitched";
    case Notification::Event::Suspended:
      return "suspended";
    case Notification::Event::Resumed:
      return "resumed";
    case Notification::Event::Suspected:
      return "suspected";
    case Notification::Event::Cleared:
      return "cleared";
    case Notification::Event::Overridden:
      return "overridden";
    case Notification::Event::Staged:
      return "staged";
    case Notification::Event::Widened:
      return "widened";
    case Notification::Event::Confirmed:
      return "confirmed";
    case Notification::Event::Upgraded:
      return "upgraded";
    case Notification::Event::UpgradeFailed:
      return "upgradeFailed";
    case Notification::Event::Invalidated:
      return "invalidated";
    case Notification::Event::Warmed:
      return "warmed";
    case Notification::Event::Started:
      return "started";
    case Notification::Event::Stopped:
      return "stopped";
  }
  return "";
}

bool wants(const Notification& notification, const std::string& type) {
  return std::any_of(notification.events.begin(), notification.events.end(),
                     [&](Notification::Event event) { return name(event) == type; });
}

/// Whether asking again may help.
bool is_passing(int status) { return status == 408 || status == 429 || status >= 500; }

}  // namespace

Result<std::unique_ptr<Notifier>> Notifier::make(NotifierOptions options) {
  std::unique_ptr<Notifier> notifier(new Notifier(std::move(options)));
  for (const Notification& notification : notifier->options_.notifications) {
    auto receiver = std::make_unique<Receiver>();
    receiver->notification = notification;
    if (notification.token) {
      HG_TRY(receiver->token, notifier->options_.resolve(*notification.token), "notifications: {}",
             notification.name);
    }
    notifier->receivers_.push_back(std::move(receiver));
  }
  return notifier;
}

Notifier::~Notifier() { stop(); }

void Notifier::start(Disk& disk, const std::string& path, const Events& events) {
  auto positions = read_sealed(path);
  if (!positions)
    log("notifications: what waited at the last end is not told: " + positions.error().context);
  {
    const base::MutexLock file(file_mutex_);
    disk_ = &disk;
    path_ = path;
    saved_ = Json();
    const base::MutexLock lock(mutex_);
    stopping_.store(false);
    catch_up(positions && *positions ? **positions : Json::object(), events);
  }
  save();
  for (const auto& receiver : receivers_)
    receiver->thread = std::thread([this, one = receiver.get()] {
      base::work_in_background(10);
      pthread_setname_np(pthread_self(), "headgate-notify");
      loop(*one);
    });
}

/// What was told before this process, or while another one had its place, is not queued.
void Notifier::catch_up(const Json& positions, const Events& events) {
  const std::uint64_t last = events.empty() ? 0 : events.back().first;
  for (const auto& receiver : receivers_) {
    const auto known = positions.find(receiver->notification.name);
    if (known != positions.end())
      receiver->begin = {number_of(*known, "sequence"), number_of(*known, "part")};
    // One that is new, or the journal is.
    if ((known == positions.end() && receiver->seen == 0) || receiver->begin.sequence > last + 1)
      receiver->begin = {last + 1, 0};
    std::erase_if(receiver->waiting,
                  [&](const Message& message) { return message.position < receiver->begin; });
    for (const auto& [sequence, line] : events)
      if (const Json event = Json::parse(line, nullptr, false); event.is_object())
        queue_event(*receiver, event);
  }
}

void Notifier::stop(Duration grace) {
  {
    base::MutexLock lock(mutex_);
    const base::MonoTime deadline = base::mono_now() + grace;
    while (!is_quiet() && base::mono_now() < deadline) lock.wait_until(wake_, deadline);
    stopping_.store(true);
    wake_.notify_all();
  }
  for (const auto& receiver : receivers_)
    if (receiver->thread.joinable()) receiver->thread.join();
  save();
  const base::MutexLock file(file_mutex_);
  disk_ = nullptr;  // it may be another process's from now on
}

/// Whether nothing waits but for those who did not take it the last time.
bool Notifier::is_quiet() const {
  return std::all_of(receivers_.begin(), receivers_.end(), [](const auto& receiver) {
    return !receiver->thread.joinable() || receiver->pause != Duration::zero() ||
           (receiver->waiting.empty() && !receiver->is_busy);
  });
}

void Notifier::tell(const std::string& event) {
  const Json json = Json::parse(event, nullptr, false);
  if (!json.is_object()) return;
  const base::MutexLock lock(mutex_);
  for (const auto& receiver : receivers_) queue_event(*receiver, json);
  wake_.notify_all();
}

void Notifier::queue_event(Receiver& receiver, const Json& event) {
  Position position{number_of(event, "sequence"), 0};
  if (position.sequence <= receiver.seen) return;
  receiver.seen = position.sequence;
  if (receiver.notification.type == Notification::Type::Webhook) {
    if (wants(receiver.notification, text_of(event, "type")))
      queue(receiver, {position,
                       webhook_call(receiver.notification, receiver.token, options_.edge, event),
                       "",
                       {}});
    return;
  }
  for (const CommitStatus& status : commit_statuses(event)) {
    auto& told = receiver.told;
    const auto of_commit = [&](const CommitStatus& other) { return other.commit == status.commit; };
    const auto last = std::find_if(told.rbegin(), told.rend(), of_commit);
    if (last == told.rend() || *last != status) {
      std::erase_if(told, of_commit);
      told.push_back(status);
      if (told.size() > kRemembered) told.pop_front();
      // What waits about this commit is out of date; the one that is on its way is not there any
      // more, as it is taken out first.
      std::erase_if(receiver.waiting,
                    [&](const Message& message) { return message.commit == status.commit; });
      queue(receiver, {position,
                       status_call(receiver.notification, receiver.token, status),
                       status.commit,
                       {}});
    }
    ++position.part;
  }
}

void Notifier::queue(Receiver& receiver, Message message) {
  if (message.position < receiver.begin) return;
  message.since = base::mono_now();
  receiver.waiting.push_back(std::move(message));
  if (receiver.waiting.size() <= kMaxWaiting) return;
  receiver.waiting.pop_front();
  ++receiver.dropped;
}

/// The next message when its time has come; none when it is time to stop.
std::optional<Notifier::Message> Notifier::take(Receiver& receiver) {
  base::MutexLock lock(mutex_);
  while (!stopping_.load()) {
    if (receiver.waiting.empty()) {
      lock.wait(wake_);
    } else if (base::mono_now() < receiver.next_try) {
      lock.wait_until(wake_, receiver.next_try);
    } else {
      Message message = std::move(receiver.waiting.front());
      receiver.waiting.pop_front();
      receiver.is_busy = true;
      receiver.on_its_way = message.position;
      return message;
    }
  }
  return std::nullopt;
}

void Notifier::loop(Receiver& receiver) {
  while (auto message = take(receiver)) {
    const auto answer = perform(message->call, [this] { return stopping_.load(); });
    const bool arrived = answer && *answer >= 200 && *answer < 300;
    settle(receiver, std::move(*message), answer);
    save();
    // Not before a restart knows it as well: what is counted is not told again.
    const base::MutexLock lock(mutex_);
    if (arrived) ++receiver.delivered;
  }
}

void Notifier::settle(Receiver& receiver, Message message, const Result<int>& answer) {
  const base::MutexLock lock(mutex_);
  receiver.is_busy = false;
  wake_.notify_all();
  if (!answer && stopping_.load()) return receiver.waiting.push_front(std::move(message));
  const Duration before = std::exchange(receiver.pause, Duration::zero());
  if (answer && *answer >= 200 && *answer < 300) return;
  ++receiver.failed;
  const base::MonoTime now = base::mono_now();
  const bool is_outdated =
      !message.commit.empty() &&
      std::any_of(receiver.waiting.begin(), receiver.waiting.end(),
                  [&](const Message& other) { return other.commit == message.commit; });
  const bool again = (!answer || is_passing(*answer)) && !is_outdated &&
                     now - message.since < options_.give_up_after;
  if (again) {
    receiver.waiting.push_front(std::move(message));
    receiver.pause = std::clamp(before * 2, options_.retry_after, kLongestPause);
    receiver.next_try = now + receiver.pause;
  }
  if (before != Duration::zero()) return;  // it has been said
  const std::string what =
      answer ? fmt::format("the answer was {}", *answer) : answer.error().context;
  log(fmt::format("notification {}: {}{}", receiver.notification.name, schema::escape_control(what),
                  again ? "; it is tried again" : ""));
}

/// What is to be told next: the first that waits, or what comes after all that has been seen.
Notifier::Position Notifier::next_of(const Receiver& receiver) {
  if (!receiver.waiting.empty()) return receiver.waiting.front().position;
  return std::max(receiver.begin, Position{receiver.seen + 1, 0});
}

/// How far everybody has been told. Not with the queues' mutex held: whoever tells must not wait.
void Notifier::save() {
  const base::MutexLock file(file_mutex_);
  if (disk_ == nullptr) return;
  Json positions = Json::object();
  {
    const base::MutexLock lock(mutex_);
    for (const auto& receiver : receivers_) {
      // Another one's thread saves that again when it is over.
      const Position next = receiver->is_busy ? receiver->on_its_way : next_of(*receiver);
      positions[receiver->notification.name] =
          Json{{"sequence", next.sequence}, {"part", next.part}};
    }
  }
  if (positions == saved_) return;
  const Status saved = write_sealed(*disk_, path_, positions);
  if (!saved && !saving_fails_)
    log("notifications: a restart may tell them again: " + saved.error().context);
  saving_fails_ = !saved;
  if (saved) saved_ = std::move(positions);
}

std::vector<observe::Family> Notifier::families() const {
  observe::Family sent{"headgate_notifications_total",
                       "Notifications of what became of commits, by whether they arrived.",
                       "counter",
                       {}};
  observe::Family waiting{
      "headgate_notifications_waiting", "Notifications that wait for their turn.", "gauge", {}};
  const base::MutexLock lock(mutex_);
  for (const auto& receiver : receivers_) {
    const std::string& who = receiver->notification.name;
    const auto add = [&](const char* result, std::uint64_t count) {
      sent.samples.push_back({fmt::format("notification=\"{}\",result=\"{}\"", who, result),
                              static_cast<double>(count)});
    };
    add("delivered", receiver->delivered);
    add("failed", receiver->failed);
    add("dropped", receiver->dropped);
    waiting.samples.push_back(
        {fmt::format("notification=\"{}\"", who), static_cast<double>(receiver->waiting.size())});
  }
  return {sent, waiting};
}

void Notifier::log(const std::string& line) const {
  if (options_.log) options_.log(line);
}

}  // namespace headgate::reconciler
