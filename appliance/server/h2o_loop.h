// SPDX-License-Identifier: MIT
// base::Loop on libh2o's event loop.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "appliance/base/loop.h"
#include "appliance/server/h2o.h"

namespace headgate::server {

/// Threads: created anywhere; `run` makes the calling thread the loop's. See base::Loop for the
/// rest.
class H2oLoop final : public base::Loop {
 public:
  H2oLoop();
  ~H2oLoop() override;
  H2oLoop(const H2oLoop&) = delete;
  H2oLoop& operator=(const H2oLoop&) = delete;

  void post(Task task) override;
  std::unique_ptr<Watch> watch_readable(int fd, base::UniqueFunction<void()> on_readable) override;
  base::TimerHeap& timers() override { return timers_; }
  base::WallTime wall_now() override;

  /// Runs until `stop`.
  void run();
  /// From the loop's own thread.
  void stop() { stopping_ = true; }

  h2o_loop_t* h2o() const { return loop_; }
  h2o_multithread_queue_t* queue() const { return queue_; }

 private:
  struct Message;
  struct Receiver;
  bool run_local_tasks();
  void read_clocks();

  h2o_loop_t* loop_;
  h2o_multithread_queue_t* queue_;
  std::unique_ptr<Receiver> receiver_;
  base::TimerHeap timers_;
  std::uint64_t h2o_now_ = 0;  ///< when the clocks below were read: h2o's own, once an iteration
  base::MonoTime mono_now_;
  base::WallTime wall_now_;
  std::vector<Task> local_tasks_;  ///< posted from the loop's own thread: no wake-up needed
  std::atomic<std::thread::id> thread_{};
  bool stopping_ = false;
};

}  // namespace headgate::server
