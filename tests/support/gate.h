// SPDX-License-Identifier: MIT
// A door between two threads of a test: order without sleeping.
#pragma once

#include <atomic>
#include <chrono>

#include "appliance/base/mutex.h"

namespace headgate::test {

/// Threads: any.
class Gate {
 public:
  void open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// False when nobody opened it within a minute, so that a failing test ends.
  bool wait() {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    base::MutexLock lock(mutex_);
    while (!open_) {
      if (lock.wait_until(changed_, give_up) == std::cv_status::timeout) return open_;
    }
    return true;
  }
  bool is_open() {
    base::MutexLock lock(mutex_);
    return open_;
  }

 private:
  base::Mutex mutex_;
  std::condition_variable changed_;
  bool open_ GUARDED_BY(mutex_) = false;
};

}  // namespace headgate::test
