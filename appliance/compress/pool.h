// SPDX-License-Identifier: MIT
// A few threads for work that would hold up a worker's loop, handed out as loops of their own.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "appliance/base/loop.h"
#include "appliance/base/mutex.h"

namespace headgate::compress {

/// Threads: any.
class Pool {
 public:
  explicit Pool(unsigned threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A loop whose tasks run one after the other, on whichever thread is free; strands take turns,
  /// one task each. It can post and tell the time; it has no descriptors, and its timers never
  /// fire. Alive as long as somebody owns it or a task of it is due; must not outlive the pool.
  std::shared_ptr<base::Loop> make_strand();

  /// Ends the threads once the tasks that run have returned; what is still due is destroyed unrun.
  /// The destructor does the same. Threads: one, the owner's.
  void stop();

 private:
  class Strand;
  void run();
  bool schedule(std::shared_ptr<Strand> strand, base::Loop::Task task);

  base::Mutex mutex_;
  std::condition_variable work_;
  std::deque<std::shared_ptr<Strand>> due_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;  ///< the owner's
};

}  // namespace headgate::compress
