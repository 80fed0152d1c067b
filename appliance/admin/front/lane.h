// SPDX-License-Identifier: MIT
// Threads that work jobs off in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/base/unique_function.h"

namespace headgate::admin {

class Responder;

/// Threads: `add` from any. Each thread has a Responder of its own, made by `make_responder` on it.
class Lane {
 public:
  using Job = base::UniqueFunction<void(Responder&)>;
  using MakeResponder = std::function<std::unique_ptr<Responder>()>;

  Lane(std::size_t threads, const MakeResponder& make_responder);
  /// Ends the jobs that have begun and forgets the others.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void add(Job job) EXCLUDES(mutex_);

 private:
  void run(const MakeResponder& make_responder) EXCLUDES(mutex_);

  base::Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace headgate::admin
