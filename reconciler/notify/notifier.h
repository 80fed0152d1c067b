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
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/base/time.h"
#include "appliance/observe/metrics.h"
#include "reconciler/notify/commit_status.h"
#include "reconciler/notify/http_call.h"
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

/// Nobody waits for it: events are queued, and each of those who are told has a thread, so that the
/// one that does not answer does not delay the others, and gets its events in their order. At
/// most 1,000 events wait for each; the oldest go. A status that has been set is not set again, and
/// one that is out of date is not set any more. Threads: any.
class Notifier {
 public:
  /// Errors: Blame::Config, a token that cannot be read.
  static Result<std::unique_ptr<Notifier>> make(NotifierOptions options);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// An event of the journal, as a line of JSON.
  void tell(const std::string& event);
  /// headgate_notifications_total{notification,result}, headgate_notifications_waiting.
  std::vector<observe::Family> families() const;
  /// Ends what is under way. What waits is not told.
  void stop();

 private:
  struct Message {
    HttpCall call;
    std::string commit;  ///< of a status
    base::MonoTime since{};
  };
  struct Receiver {
    schema::Notification notification;
    schema::Redacted token;
    std::deque<Message> waiting;
    std::deque<CommitStatus> told;  ///< the last ones
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
  void queue(Receiver& receiver, Message message) REQUIRES(mutex_);
  void queue_statuses(Receiver& receiver, const Json& event) REQUIRES(mutex_);
  void log(const std::string& line) const;

  const NotifierOptions options_;
  mutable base::Mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_{false};
  /// The list is made once; what is in it changes with the mutex held.
  std::vector<std::unique_ptr<Receiver>> receivers_;
};

}  // namespace headgate::reconciler
