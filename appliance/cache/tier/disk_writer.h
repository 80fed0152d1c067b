// SPDX-License-Identifier: MIT
// Writes to the cache's disk behind the requests: one thread, in the order in which it was told.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/cache/disk/log.h"
#include "appliance/cache/purge/uri_invalidation.h"
#include "appliance/cache/response.h"

namespace headgate::cache {

/// Threads: start and stop from one; the rest from any, and nobody waits for the device.
class DiskWriter {
 public:
  /// `on_off`: called once, from the writer's thread, when the log has turned itself off.
  DiskWriter(disk::Log& log, std::function<void(const std::string& because)> on_off);
  ~DiskWriter();

  /// `changes`: what unsafe methods change. Nothing is written before.
  void start(const UriInvalidations& changes);
  /// Writes what waits, and makes sure of it.
  void stop();

  struct Write {
    std::string key;
    std::string behavior;
    std::vector<std::string> vary_names =
        {};  ///< empty: it does not vary, `variant_key` is not used
    std::string variant_key = {};
    base::Ref<StoredResponse> response;
  };
  /// So much later that whoever asks for it may not find it yet. Dropped, with its claim, when
  /// more than kMaxWaitingBytes wait.
  void write(Write write);
  /// What the key has is void.
  void remove(std::string key);
  /// A key without a value.
  void mark(std::string key);
  bool is_idle() const { return waiting_.load(std::memory_order_acquire) == 0; }

  /// From now on nothing is written that was not found valid at `epoch`. Returns how old what is on
  /// the disk may be: rules up to that epoch are not needed for it.
  std::uint64_t settle(std::uint64_t epoch);

  struct Stats {
    std::uint64_t written = 0;  ///< responses
    std::uint64_t dropped = 0;  ///< of those that were offered
    std::uint64_t waiting_bytes = 0;
  };
  Stats stats() const;

 private:
  static constexpr std::uint64_t kMaxWaitingBytes = std::uint64_t{32} << 20;
  enum class Kind { Write, Remove, Mark };
  struct Task {
    Kind kind = Kind::Write;
    Write write;
    std::uint64_t bytes = 0;
  };
  enum class Step { Task, Flush, Look, End };

  void push(Task task);
  void run();
  Step next(Task& task);
  void perform(Task& task);
  void append(Write& write);
  void look_whether_off();

  disk::Log& log_;
  const std::function<void(const std::string&)> on_off_;
  const UriInvalidations* changes_ = nullptr;
  std::atomic<std::uint64_t> waiting_{0};  ///< tasks, with the one that is being done
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<bool> is_off_{false};

  mutable base::Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> queue_ GUARDED_BY(mutex_);
  std::uint64_t waiting_bytes_ GUARDED_BY(mutex_) = 0;
  bool ending_ GUARDED_BY(mutex_) = false;

  base::Mutex append_mutex_;  ///< before the log's
  std::uint64_t oldest_epoch_ GUARDED_BY(append_mutex_) = 0;
  /// The thread's: when what it has appended is to be found at the latest.
  std::optional<std::chrono::steady_clock::time_point> flush_at_;
  std::thread thread_;
};

}  // namespace headgate::cache
