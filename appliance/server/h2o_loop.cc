// SPDX-License-Identifier: MIT
#include "appliance/server/h2o_loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "appliance/base/assert.h"

namespace headgate::server {
namespace {

constexpr Duration kLongestWait = std::chrono::milliseconds(1000);

class SocketWatch final : public base::Loop::Watch {
 public:
  SocketWatch(h2o_loop_t* loop, int fd, base::UniqueFunction<void()> on_readable)
      : on_readable_(std::move(on_readable)) {
    // A socket of h2o's closes its descriptor; the watched one is not ours.
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);  // not for git and its like
    HG_ASSERT(copy >= 0);
    socket_ = h2o_evloop_socket_create(loop, copy, H2O_SOCKET_FLAG_DONT_READ);
    socket_->data = this;
    h2o_socket_read_start(socket_, [](h2o_socket_t* socket, const char*) {
      static_cast<SocketWatch*>(socket->data)->on_readable_();
    });
  }
  ~SocketWatch() override { h2o_socket_close(socket_); }

 private:
  base::UniqueFunction<void()> on_readable_;
  h2o_socket_t* socket_;
};

}  // namespace

struct H2oLoop::Message {
  h2o_multithread_message_t super;  // first: h2o links it
  Task task;
};

struct H2oLoop::Receiver {
  h2o_multithread_receiver_t super;  // first: h2o hands it back
};

H2oLoop::H2oLoop()
    : loop_(h2o_evloop_create()),
      queue_(h2o_multithread_create_queue(loop_)),
      receiver_(std::make_unique<Receiver>()),
      timers_(
          [](void* self) {
            static_cast<H2oLoop*>(self)->read_clocks();
            return static_cast<H2oLoop*>(self)->mono_now_;
          },
          this) {
  h2o_multithread_register_receiver(
      queue_, &receiver_->super, [](h2o_multithread_receiver_t*, h2o_linklist_t* messages) {
        while (!h2o_linklist_is_empty(messages)) {
          // `super` is the first member: the two have one address.
          auto* message = reinterpret_cast<Message*>(
              H2O_STRUCT_FROM_MEMBER(h2o_multithread_message_t, link, messages->next));
          h2o_linklist_unlink(&message->super.link);
          const std::unique_ptr<Message> owner(message);
          owner->task();
        }
      });
}

H2oLoop::~H2oLoop() {
  // Tasks that nobody will run: what they own still has to go.
  h2o_evloop_run(loop_, 0);
  local_tasks_.clear();
  h2o_multithread_unregister_receiver(queue_, &receiver_->super);
  h2o_multithread_destroy_queue(queue_);
  h2o_evloop_run(loop_, 0);  // a closed socket is freed in the next round
  // h2o makes both for the life of the process and frees neither.
  std::free(queue_);
  std::free(loop_);
}

void H2oLoop::post(Task task) {
  if (std::this_thread::get_id() == thread_.load(std::memory_order_relaxed)) {
    local_tasks_.push_back(std::move(task));
    return;
  }
  auto* message = new Message{{}, std::move(task)};
  h2o_multithread_send_message(&receiver_->super, &message->super);
}

std::unique_ptr<base::Loop::Watch> H2oLoop::watch_readable(
    int fd, base::UniqueFunction<void()> on_readable) {
  return std::make_unique<SocketWatch>(loop_, fd, std::move(on_readable));
}

void H2oLoop::run() {
  thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  bool busy = false;
  while (!stopping_) {
    // What tasks and timers do to h2o's sockets takes effect in h2o_evloop_run: it must not wait
    // then.
    const Duration wait = busy ? Duration::zero() : timers_.wait_at_most(kLongestWait);
    h2o_evloop_run(loop_, static_cast<std::int32_t>(wait.count()));
    busy = timers_.run_expired(timers_.now());
    busy = run_local_tasks() || busy || !local_tasks_.empty();
  }
}

bool H2oLoop::run_local_tasks() {
  // Tasks posted by these run in the next round, so that sockets get their turn.
  std::vector<Task> tasks;
  tasks.swap(local_tasks_);
  for (auto& task : tasks) task();
  return !tasks.empty();
}

base::WallTime H2oLoop::wall_now() {
  read_clocks();
  return wall_now_;
}

void H2oLoop::read_clocks() {
  const std::uint64_t now = h2o_now(loop_);
  if (now == h2o_now_) return;
  h2o_now_ = now;
  mono_now_ = base::mono_now();
  wall_now_ = base::wall_now();
}

}  // namespace headgate::server
