// SPDX-License-Identifier: MIT
// A mutex that clang's -Wthread-safety understands; libstdc++'s is not annotated.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define HG_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define HG_THREAD_ANNOTATION(x)
#endif

#define HG_CAPABILITY(x) HG_THREAD_ANNOTATION(capability(x))
#define HG_SCOPED_CAPABILITY HG_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) HG_THREAD_ANNOTATION(guarded_by(x))
#define REQUIRES(...) HG_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) HG_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) HG_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) HG_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

namespace headgate::base {

class HG_CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope.
class HG_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  ~MutexLock() RELEASE() = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  /// Gives the mutex up while waiting, and holds it again on return.
  void wait(std::condition_variable& condition) { condition.wait(lock_); }
  template <class TimePoint>
  std::cv_status wait_until(std::condition_variable& condition, TimePoint deadline) {
    return condition.wait_until(lock_, deadline);
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace headgate::base
