// SPDX-License-Identifier: MIT
#include "appliance/compress/pool.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

#include "appliance/base/assert.h"
#include "appliance/base/background.h"

namespace headgate::compress {

class Pool::Strand final : public base::Loop, public std::enable_shared_from_this<Strand> {
 public:
  explicit Strand(Pool& pool) : pool_(pool) {}

  void post(Task task) override { pool_.schedule(shared_from_this(), std::move(task)); }
  std::unique_ptr<Watch> watch_readable(int, base::UniqueFunction<void()>) override {
    HG_ASSERT(false);  // a strand has no descriptors
    return nullptr;
  }
  base::TimerHeap& timers() override { return timers_; }
  base::WallTime wall_now() override { return base::wall_now(); }

 private:
  friend class Pool;
  Pool& pool_;
  base::TimerHeap timers_{[](void*) { return base::mono_now(); }, nullptr};
  // By the pool's mutex.
  std::deque<Task> tasks_;
  bool busy_ = false;  ///< in `due_`, or a thread runs a task of it
};

Pool::Pool(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Pool::~Pool() { stop(); }

std::shared_ptr<base::Loop> Pool::make_strand() { return std::make_shared<Strand>(*this); }

bool Pool::schedule(std::shared_ptr<Strand> strand, base::Loop::Task task) {
  const base::MutexLock lock(mutex_);
  if (stopping_) return false;
  strand->tasks_.push_back(std::move(task));
  if (std::exchange(strand->busy_, true)) return true;
  due_.push_back(std::move(strand));
  work_.notify_one();
  return true;
}

void Pool::run() {
  // Signals are for the main thread.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "headgate-encode");
  base::work_in_background(0);
  for (;;) {
    std::shared_ptr<Strand> strand;
    base::Loop::Task task;
    {
      base::MutexLock lock(mutex_);
      while (due_.empty() && !stopping_) lock.wait(work_);
      if (stopping_) return;
      strand = std::move(due_.front());
      due_.pop_front();
      task = std::move(strand->tasks_.front());
      strand->tasks_.pop_front();
    }
    task();
    task = {};  // what it owned ends before the next one of the strand runs
    const base::MutexLock lock(mutex_);
    if (strand->tasks_.empty()) {
      strand->busy_ = false;
    } else {
      due_.push_back(std::move(strand));
      work_.notify_one();
    }
  }
}

void Pool::stop() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  std::deque<std::shared_ptr<Strand>> left;
  {
    const base::MutexLock lock(mutex_);
    left.swap(due_);
  }
  // A task may own its strand: let go of both.
  for (const auto& strand : left) strand->tasks_.clear();
}

}  // namespace headgate::compress
