// SPDX-License-Identifier: MIT
// A base::Loop over real descriptors for unit tests that talk through sockets.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "appliance/base/assert.h"
#include "appliance/base/loop.h"
#include "appliance/base/mutex.h"

namespace headgate::test {

/// Runs on the thread that calls run_until.
/// Threads: `post` from any; the rest from the one that made it.
class EpollLoop final : public base::Loop {
 public:
  EpollLoop()
      : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    HG_ASSERT(epoll_ >= 0 && wake_ >= 0);
    add(wake_, kWake);
  }
  ~EpollLoop() override {
    tasks_.clear();
    close(wake_);
    close(epoll_);
  }

  void post(Task task) override {
    {
      base::MutexLock lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    const std::uint64_t one = 1;
    HG_ASSERT(write(wake_, &one, sizeof one) == sizeof one);
  }

  std::unique_ptr<Watch> watch_readable(int fd, base::UniqueFunction<void()> on_readable) override {
    const std::uint64_t id = ++last_id_;
    add(fd, id);
    watched_[id] = std::make_shared<base::UniqueFunction<void()>>(std::move(on_readable));
    return std::make_unique<FdWatch>(*this, fd, id);
  }

  base::TimerHeap& timers() override { return timers_; }
  base::WallTime wall_now() override { return base::wall_now(); }

  /// Turns until `done()`, and says whether it came to that: false only where a test would hang.
  template <class Predicate>
  bool run_until(Predicate done, Duration patience = Duration(60'000)) {
    const base::MonoTime give_up = base::mono_now() + patience;
    while (!done()) {
      if (base::mono_now() > give_up) return false;
      turn(Duration(100));
    }
    return true;
  }

  /// One iteration that does not wait.
  void turn_once() { turn(Duration::zero()); }

  std::size_t watches() const { return watched_.size(); }

 private:
  static constexpr std::uint64_t kWake = 0;

  class FdWatch final : public Watch {
   public:
    FdWatch(EpollLoop& loop, int fd, std::uint64_t id) : loop_(loop), fd_(fd), id_(id) {}
    ~FdWatch() override {
      epoll_ctl(loop_.epoll_, EPOLL_CTL_DEL, fd_, nullptr);
      loop_.watched_.erase(id_);
    }

   private:
    EpollLoop& loop_;
    int fd_;
    std::uint64_t id_;
  };

  void add(int fd, std::uint64_t id) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = id;
    HG_ASSERT(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0);
  }

  void turn(Duration limit) {
    timers_.run_expired(base::mono_now());
    epoll_event events[16];
    const Duration wait = timers_.wait_at_most(limit);
    const int count = epoll_wait(epoll_, events, 16, static_cast<int>(wait.count()));
    timers_.run_expired(base::mono_now());
    for (int i = 0; i < count; ++i) {
      const std::uint64_t id = events[i].data.u64;
      if (id == kWake) {
        run_posted();
      } else if (const auto found = watched_.find(id); found != watched_.end()) {
        const auto callback = found->second;  // it may end its own watch
        (*callback)();
      }
    }
  }

  void run_posted() {
    std::uint64_t count = 0;
    HG_ASSERT(read(wake_, &count, sizeof count) == sizeof count);
    std::vector<Task> tasks;
    {
      base::MutexLock lock(mutex_);
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) task();
  }

  int epoll_;
  int wake_;
  std::uint64_t last_id_ = kWake;
  std::map<std::uint64_t, std::shared_ptr<base::UniqueFunction<void()>>> watched_;
  base::TimerHeap timers_;
  base::Mutex mutex_;
  std::vector<Task> tasks_ GUARDED_BY(mutex_);
};

}  // namespace headgate::test
