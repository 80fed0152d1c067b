// SPDX-License-Identifier: MIT
// Tells others what becomes of commits: each in its turn, again when it fails, never twice the
// same.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/base/time.h"
#include "appliance/observe/metrics.h"
#include "reconciler/notify/commit_status.h"
#include "reconciler/notify/http_call.h"
#include "reconciler/state/disk.h"
#include "schema/model/notification.h"

namespace headgate::reconciler {

struct NotifierOptions {
  std::vector<schema::Notification> notifications;
  std::string edge;  ///< this edge's name, for webhooks
  /// From a notification's `token` to what it is. Called when the notifier is made.
  std::function<Result<schema::Redacted>(const schema::Secret&)> resolve;
  std::function<void(const std::string&)> log;
  /// How long to wait after the first failure; then twice as long, up to 5 min.
  Duration retry_after = std::chrono::seconds(1);
  /// How long it is tried.
  Duration give_up_after = std::chrono::hours(1);
};

/// Events of the journal: (sequence, JSON line).
using Events = std::vector<std::pair<std::uint64_t, std::string>>;

/// Nobody waits for it: events are queued, and each of those who are told has a thread, so that the
/// one that does not answer does not delay the others, and gets its events in their order. At
/// most 1,000 events wait for each; the oldest go. A status that has been set is not set again, and
/// one that is out of date is not set any more.
///
/// How far each has been told is kept in a file, and what has not been told is in the journal: so
/// an end of the process loses nothing of what the journal still has (500 events), and what was on
/// its way when the power went is told twice. Threads: start and stop from one, the rest from any.
class Notifier {
 public:
  /// Errors: Blame::Config, a token that cannot be read.
  static Result<std::unique_ptr<Notifier>> make(NotifierOptions options);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// Tells what waits, and what comes, until `stop`. `events`: those of the journal; which of them
  /// have been told, the file at `path` knows. Whom it does not know is told nothing of before. May
  /// be called again after `stop`; `disk` outlives it.
  void start(Disk& disk, const std::string& path, const Events& events);
  /// An event of the journal, as a line of JSON.
  void tell(const std::string& event);
  /// headgate_notifications_total{notification,result}, headgate_notifications_waiting.
  std::vector<observe::Family> families() const;
  /// Gives those who answer up to `grace` for what waits, then ends what is under way. What waits
  /// still is told after the next start, of this process or another one.
  void stop(Duration grace = Duration::zero());

 private:
  /// Of a message: an event may be several. In their order.
  struct Position {
    std::uint64_t sequence = 0;
    std::size_t part = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
  };
  struct Message {
    Position position;
    HttpCall call;
    std::string commit;  ///< of a status
    base::MonoTime since{};
  };
  struct Receiver {
    schema::Notification notification;
    schema::Redacted token;
    std::deque<Message> waiting;
    std::deque<CommitStatus> told;  ///< the last ones
    std::uint64_t seen = 0;         ///< the last event
    Position begin;                 ///< what is before has been told by another process
    bool is_busy = false;           ///< a message is on its way:
    Position on_its_way;
    base::MonoTime next_try{};
    Duration pause{};  ///< until the next try; none while all is well
    std::uint64_t delivered = 0;
    std::uint64_t failed = 0;
    std::uint64_t dropped = 0;
    std::thread thread;
  };

  explicit Notifier(NotifierOptions options) : options_(std::move(options)) {}
  void loop(Receiver& receiver);
  std::optional<Message> take(Receiver& receiver);
  void settle(Receiver& receiver, Message message, const Result<int>& answer);
  void catch_up(const Json& positions, const Events& events) REQUIRES(mutex_);
  void queue_event(Receiver& receiver, const Json& event) REQUIRES(mutex_);
  void queue(Receiver& receiver, Message message) REQUIRES(mutex_);
  bool is_quiet() const REQUIRES(mutex_);
  static Position next_of(const Receiver& receiver);
  void save();
  void log(const std::string& line) const;

  const NotifierOptions options_;
  mutable base::Mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_{false};
  /// The list is made once; what is in it changes with the mutex held.
  std::vector<std::unique_ptr<Receiver>> receivers_;

  base::Mutex file_mutex_;  ///< before the other
  Disk* disk_ GUARDED_BY(file_mutex_) = nullptr;
  std::string path_ GUARDED_BY(file_mutex_);
  Json saved_ GUARDED_BY(file_mutex_);
  bool saving_fails_ GUARDED_BY(file_mutex_) = false;
};

}  // namespace headgate::reconciler
