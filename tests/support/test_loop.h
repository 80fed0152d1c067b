// SPDX-License-Identifier: MIT
// Event loops for tests of what runs on several: one that the test turns by hand, one on a thread
// of its own.
#pragma once

#include <condition_variable>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "appliance/base/assert.h"
#include "appliance/base/loop.h"
#include "appliance/base/mutex.h"

namespace headgate::test {

/// Runs nothing by itself: the test calls `turn`. Its clock stands still but for `advance`.
/// Threads: `post` from any; the rest from the test's.
class ManualLoop : public base::Loop {
 public:
  void post(Task task) override {
    const base::MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    ++posts_;
  }
  std::unique_ptr<Watch> watch_readable(int /*fd*/, base::UniqueFunction<void()> /*on*/) override {
    HG_ASSERT(false);  // nothing that is tested with this loop watches descriptors
    return nullptr;
  }
  base::TimerHeap& timers() override { return timers_; }
  base::WallTime wall_now() override {
    return base::WallTime(std::chrono::hours(24 * 365 * 50)) + (timers_.now() - start_);
  }

  /// Runs what has been posted so far, not what that posts; says how many tasks it was.
  std::size_t turn() {
    std::vector<Task> tasks;
    {
      const base::MutexLock lock(mutex_);
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) task();
    return tasks.size();
  }
  void advance(Duration by) { timers_.run_expired(timers_.now() + by); }
  /// Since the start.
  std::size_t posts() {
    const base::MutexLock lock(mutex_);
    return posts_;
  }

 private:
  base::Mutex mutex_;
  std::vector<Task> tasks_ GUARDED_BY(mutex_);
  std::size_t posts_ GUARDED_BY(mutex_) = 0;
  base::TimerHeap timers_;
  const base::MonoTime start_ = timers_.now();
};

/// Runs posted tasks in order on its own thread until destroyed; what is left then is destroyed
/// unrun.
class ThreadLoop final : public ManualLoop {
 public:
  ThreadLoop() : thread_([this] { run(); }) {}
  ~ThreadLoop() override {
    {
      const base::MutexLock lock(wake_mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  void post(Task task) override {
    ManualLoop::post(std::move(task));
    {
      const base::MutexLock lock(wake_mutex_);
      pending_ = true;
    }
    wake_.notify_one();
  }

  /// Runs `f` on the loop's thread and waits for its end.
  template <class F>
  void run_and_wait(F f) {
    base::Mutex mutex;
    std::condition_variable done_condition;
    bool done = false;
    post([&] {
      f();
      const base::MutexLock lock(mutex);
      done = true;
      done_condition.notify_one();
    });
    base::MutexLock lock(mutex);
    while (!done) lock.wait(done_condition);
  }

 private:
  void run() {
    for (;;) {
      {
        base::MutexLock lock(wake_mutex_);
        while (!pending_ && !stopping_) lock.wait(wake_);
        if (stopping_) return;
        pending_ = false;
      }
      turn();
    }
  }

  base::Mutex wake_mutex_;
  std::condition_variable wake_;
  bool pending_ GUARDED_BY(wake_mutex_) = false;
  bool stopping_ GUARDED_BY(wake_mutex_) = false;
  std::thread thread_;
};

}  // namespace headgate::test
