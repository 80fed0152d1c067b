// SPDX-License-Identifier: MIT
// What the parts of the edge need of an event loop; appliance/server implements it on libh2o's, so
// that only that folder knows h2o.
#pragma once

#include <memory>

#include "appliance/base/time.h"
#include "appliance/base/timer_heap.h"
#include "appliance/base/unique_function.h"

namespace headgate::base {

/// One thread's event loop.
/// Threads: `post` from any; everything else from the loop's own.
class Loop {
 public:
  using Task = UniqueFunction<void()>;

  /// Calls back whenever a descriptor is readable, until destroyed. Level-triggered; does not own
  /// the descriptor.
  class Watch {
   public:
    virtual ~Watch() = default;
  };

  virtual ~Loop() = default;

  /// Runs `task` on the loop's thread, soon. Never runs it before it returns. After the loop has
  /// ended tasks are destroyed unrun.
  virtual void post(Task task) = 0;
  virtual std::unique_ptr<Watch> watch_readable(int fd, UniqueFunction<void()> on_readable) = 0;
  virtual TimerHeap& timers() = 0;

  MonoTime now() { return timers().now(); }
  /// As of the current iteration.
  virtual WallTime wall_now() = 0;
};

}  // namespace headgate::base
