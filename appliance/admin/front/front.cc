// SPDX-License-Identifier: MIT
// The loop over an admin listener's connections.
//
// Threads wait only for requests that are whole, so a client that dribbles costs a descriptor, and
// when descriptors run out it is the one that goes. Probes have a thread of their own, so that a
// slow /status cannot delay them.
#include "appliance/admin/front/front.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <thread>

#include "appliance/admin/cloudfront/invalidation.h"
#include "appliance/admin/front/connection.h"
#include "appliance/admin/front/lane.h"
#include "appliance/admin/front/request_head.h"
#include "appliance/admin/front/responder.h"
#include "appliance/base/mutex.h"

namespace headgate::admin {
namespace {

using State = Connection::State;
using Id = std::uint64_t;

constexpr std::size_t kMaxHeadAndMore = 16 * 1024;
constexpr Duration kDrain = std::chrono::seconds(1);
constexpr Duration kPauseWithoutDescriptors = std::chrono::milliseconds(100);
constexpr int kAcceptAtOnce = 64;

/// What a lane has worked out for a connection.
struct Outcome {
  Id id = 0;
  std::string octets;
  bool follows = false;
  std::uint64_t follow_after = 0;
};

/// Outcomes on their way from the lanes to the loop, which `wake` stirs.
class Outbox {
 public:
  explicit Outbox(int wake) : wake_(wake) {}
  ~Outbox() { ::close(wake_); }
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  int wake_fd() const { return wake_; }
  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written =
        ::write(wake_, &one, sizeof one);  // full means: already awake
  }
  void put(Outcome outcome) EXCLUDES(mutex_) {
    {
      const base::MutexLock lock(mutex_);
      outcomes_.push_back(std::move(outcome));
    }
    wake();
  }
  std::vector<Outcome> take() EXCLUDES(mutex_) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(wake_, &count, sizeof count);
    const base::MutexLock lock(mutex_);
    return std::exchange(outcomes_, {});
  }

 private:
  const int wake_;
  base::Mutex mutex_;
  std::vector<Outcome> outcomes_ GUARDED_BY(mutex_);
};

class PollFront final : public Front {
 public:
  PollFront(std::unique_ptr<Listener> listener, Options options, Appliance appliance,
            FrontLimits limits, int wake)
      : listener_(std::move(listener)),
        limits_(limits),
        endpoints_(std::move(options), std::move(appliance), listener_->is_tcp()),
        outbox_(wake),
        probes_(1, [this] { return Responder::create(endpoints_); }),
        lane_(2, [this] { return Responder::create(endpoints_); }),
        thread_([this] { run(); }) {}

  ~PollFront() override {
    stopping_.store(true);
    outbox_.wake();
    thread_.join();
  }

  const std::string& address() const override { return listener_->address(); }
  Result<int> release() override {
    auto copy = listener_->release();
    if (copy) released_.store(true);
    return copy;
  }

 private:
  void run();
  bool must_finish();
  int poll_timeout() const;
  void accept_all();
  void make_room();
  void take_outcomes();
  void look_for_events();
  void expire();

  void on_ready(Id id, Connection& connection, short events);
  void on_received(Id id, Connection& connection);
  void answer(Id id, Connection& connection, const RequestHead& head);
  void refuse_request(Id id, Connection& connection, int status, std::string_view problem);
  void on_sendable(Id id, Connection& connection);
  void close(Id id);
  std::size_t limit_of(const RequestHead& head) const;

  const std::unique_ptr<Listener> listener_;
  const FrontLimits limits_;
  const Endpoints endpoints_;
  Outbox outbox_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> released_{false};

  // Of the loop's thread.
  std::map<Id, std::unique_ptr<Connection>> connections_;  ///< the oldest first
  Id next_id_ = 0;
  std::size_t bodies_ = 0;
  std::size_t answering_ = 0;
  std::size_t followers_ = 0;
  base::MonoTime now_ = base::mono_now();
  base::MonoTime accept_again_at_{};
  base::MonoTime finish_by_{};  ///< set once it is to end
  base::MonoTime next_look_at_{};

  Lane probes_;
  Lane lane_;
  std::thread thread_;
};

void PollFront::run() {
  std::vector<pollfd> waiting;
  std::vector<Id> ids;
  while (!stopping_.load() || must_finish()) {
    waiting.clear();
    ids.clear();
    waiting.push_back({.fd = outbox_.wake_fd(), .events = POLLIN, .revents = 0});
    const bool accepts = !released_.load() && now_ >= accept_again_at_;
    waiting.push_back({.fd = accepts ? listener_->fd() : -1, .events = POLLIN, .revents = 0});
    for (const auto& [id, connection] : connections_) {
      if (connection->state == State::Answering) continue;
      const bool sends = !connection->all_sent();
      waiting.push_back({.fd = connection->fd,
                         .events = static_cast<short>(sends ? POLLOUT : POLLIN),
                         .revents = 0});
      ids.push_back(id);
    }
    if (::poll(waiting.data(), waiting.size(), poll_timeout()) < 0) {
      for (auto& one : waiting) one.revents = 0;  // interrupted
    }
    now_ = base::mono_now();
    if (waiting[0].revents != 0) take_outcomes();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto found = connections_.find(ids[i]);
      if (found == connections_.end() || waiting[i + 2].revents == 0) continue;
      on_ready(ids[i], *found->second, waiting[i + 2].revents);
    }
    if (waiting[1].revents != 0) accept_all();
    look_for_events();
    expire();
  }
}

/// Whoever has connected before the socket was released is answered by nobody else.
bool PollFront::must_finish() {
  if (!released_.load()) return false;
  if (finish_by_ == base::MonoTime{}) finish_by_ = now_ + kDrain;
  return now_ < finish_by_ &&
         std::any_of(connections_.begin(), connections_.end(), [](const auto& entry) {
           const State state = entry.second->state;
           return state == State::Receiving || state == State::Answering || state == State::Sending;
         });
}

int PollFront::poll_timeout() const {
  auto next = now_ + std::chrono::hours(1);
  for (const auto& [id, connection] : connections_) {
    if (connection->state != State::Answering && connection->state != State::Following) {
      next = std::min(next, connection->deadline);
    }
  }
  if (followers_ > 0) next = std::min(next, next_look_at_);
  if (finish_by_ > now_) next = std::min(next, finish_by_);
  if (accept_again_at_ > now_) next = std::min(next, accept_again_at_);
  return static_cast<int>(std::max<Duration::rep>((next - now_).count() + 1, 0));
}

void PollFront::accept_all() {
  for (int i = 0; i < kAcceptAtOnce; ++i) {
    const int fd = ::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      const bool exhausted =
          errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (exhausted) accept_again_at_ = now_ + kPauseWithoutDescriptors;  // poll would not wait
      return;
    }
    if (connections_.size() >= limits_.connections) make_room();
    auto connection = std::make_unique<Connection>(fd);
    if (connections_.size() >= limits_.connections)
      continue;  // all are being answered: this one is closed
    connection->deadline = now_ + limits_.receive;
    const Id id = next_id_++;
    auto& added = *connections_.emplace(id, std::move(connection)).first->second;
    on_ready(id, added, POLLIN);  // the request is often there already
  }
}

/// Closes the connection that has been receiving or sending for longest.
void PollFront::make_room() {
  for (const auto& [id, connection] : connections_) {
    if (connection->state == State::Answering || connection->state == State::Following) continue;
    close(id);
    return;
  }
}

void PollFront::on_ready(Id id, Connection& connection, short events) {
  if (!connection.all_sent()) {
    if ((events & (POLLERR | POLLHUP)) != 0 && (events & POLLOUT) == 0) return close(id);
    return on_sendable(id, connection);
  }
  if (connection.state == State::Receiving) return on_received(id, connection);
  if (!connection.discard()) close(id);
}

std::size_t PollFront::limit_of(const RequestHead& head) const {
  const bool is_large = head.path == "/hooks/git" || head.path == "/invalidations" ||
                        head.path == "/upgrade/file" || head.path.starts_with(cloudfront::kPrefix);
  return is_large ? limits_.large_body : limits_.body;
}

void PollFront::on_received(Id id, Connection& connection) {
  const bool open = connection.receive(kMaxHeadAndMore + connection.body_reserved);
  const auto head = parse_request_head(connection.in);
  switch (head.state) {
    case RequestHead::State::NeedMore:
      if (!open) close(id);
      return;
    case RequestHead::State::Refused:
      return refuse_request(id, connection, head.refusal, head.problem);
    case RequestHead::State::Complete:
      break;
  }
  if (head.content_length > limit_of(head))
    return refuse_request(id, connection, 413, "the body is too large");
  if (connection.body_reserved == 0 && head.content_length > 0) {
    if (bodies_ + head.content_length > limits_.bodies) {
      return refuse_request(id, connection, 503, "too many large requests at once");
    }
    connection.body_reserved = head.content_length;
    bodies_ += head.content_length;
  }
  if (connection.in.size() >= head.length + head.content_length)
    return answer(id, connection, head);
  if (!open) close(id);
}

void PollFront::answer(Id id, Connection& connection, const RequestHead& head) {
  const bool is_probe = head.path == "/healthz" || head.path == "/readyz";
  if (!is_probe && answering_ >= limits_.answering) {
    return refuse_request(id, connection, 503, "too many requests at once");
  }
  connection.state = State::Answering;
  ++answering_;
  std::string body = connection.in.substr(head.length, head.content_length);
  connection.in.clear();
  connection.in.shrink_to_fit();
  auto job = [this, id, request = head.request,
              body = std::move(body)](Responder& responder) mutable {
    auto response = responder.respond(request, std::move(body));
    outbox_.put({.id = id,
                 .octets = std::move(response.octets),
                 .follows = response.follow_after.has_value(),
                 .follow_after = response.follow_after.value_or(0)});
  };
  (is_probe ? probes_ : lane_).add(std::move(job));
}

void PollFront::refuse_request(Id id, Connection& connection, int status,
                               std::string_view problem) {
  connection.state = State::Sending;
  connection.refused = true;
  connection.deadline = now_ + limits_.send;
  connection.out = Responder::refusal(status, problem);
  on_sendable(id, connection);
}

void PollFront::take_outcomes() {
  for (auto& outcome : outbox_.take()) {
    const auto found = connections_.find(outcome.id);
    if (found == connections_.end()) continue;
    auto& connection = *found->second;
    if (connection.state == State::Answering) {
      --answering_;
      connection.state = State::Sending;
      if (outcome.follows && followers_ >= limits_.followers) {
        refuse_request(outcome.id, connection, 503, "too many followers at once");
        continue;
      }
      if (outcome.follows) ++followers_;
      connection.follows = outcome.follows;
    }
    connection.look_under_way = false;
    connection.follow_after = outcome.follow_after;
    connection.out = std::move(outcome.octets);
    connection.deadline = now_ + limits_.send;
    if (!connection.all_sent()) on_sendable(outcome.id, connection);
  }
}

void PollFront::on_sendable(Id id, Connection& connection) {
  bool progressed = false;
  if (!connection.send(progressed)) return close(id);
  if (progressed) connection.deadline = now_ + limits_.send;
  if (!connection.all_sent()) return;
  if (connection.follows) {
    connection.state = State::Following;
  } else if (connection.refused) {
    ::shutdown(connection.fd, SHUT_WR);
    connection.state = State::Draining;
    connection.deadline = now_ + kDrain;
  } else {
    close(id);
  }
}

/// Asks the journal for each follower that has taken all it was sent.
void PollFront::look_for_events() {
  if (followers_ == 0 || now_ < next_look_at_) return;
  next_look_at_ = now_ + limits_.follow;
  for (const auto& [id, connection] : connections_) {
    if (connection->state != State::Following || !connection->all_sent() ||
        connection->look_under_way)
      continue;
    connection->look_under_way = true;
    lane_.add([this, follower = id, after = connection->follow_after](Responder& responder) {
      auto events = responder.endpoints().events_after(after);
      outbox_.put({.id = follower,
                   .octets = std::move(events.lines),
                   .follows = true,
                   .follow_after = events.last});
    });
  }
}

void PollFront::expire() {
  std::vector<Id> expired;
  for (const auto& [id, connection] : connections_) {
    if (connection->state == State::Answering || now_ < connection->deadline) continue;
    if (connection->state == State::Following && connection->all_sent()) continue;
    expired.push_back(id);
  }
  for (const Id id : expired) {
    auto& connection = *connections_.at(id);
    if (connection.state == State::Receiving && !connection.in.empty()) {
      refuse_request(id, connection, 408, "the request took too long to arrive");
    } else {
      if (!connection.all_sent()) connection.abandon();
      close(id);
    }
  }
}

void PollFront::close(Id id) {
  const auto found = connections_.find(id);
  bodies_ -= found->second->body_reserved;
  if (found->second->follows) --followers_;
  connections_.erase(found);
}

}  // namespace

Result<std::unique_ptr<Front>> Front::start(std::unique_ptr<Listener> listener, Options options,
                                            Appliance appliance, FrontLimits limits) {
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return fail(Blame::Self, "eventfd: {}", std::strerror(errno));
  return std::unique_ptr<Front>(std::make_unique<PollFront>(std::move(listener), std::move(options),
                                                            std::move(appliance), limits, wake));
}

}  // namespace headgate::admin
