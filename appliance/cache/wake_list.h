// SPDX-License-Identifier: MIT
// Wakes those who wait for one thing on many loops: at most one post a loop is under way, however
// many wait there.
#pragma once

#include <memory>
#include <vector>

#include "appliance/base/loop.h"
#include "appliance/base/mutex.h"
#include "appliance/base/unique_function.h"

namespace headgate::cache {

/// Threads: its methods under the mutex of the object that owns it. Sleepers are made, called and
/// cancelled on their loop.
class WakeList {
  struct Batch;

 public:
  struct Sleeper {
    Sleeper(base::Loop& on, base::UniqueFunction<void()> call)
        : loop(on), on_wake(std::move(call)) {}
    base::Loop& loop;
    base::UniqueFunction<void()> on_wake;
    bool cancelled = false;  ///< the loop's thread only: a wake that is under way then calls nobody

   private:
    friend class WakeList;
    std::shared_ptr<Batch> batch;
    bool waiting = false;
  };
  using SleeperPtr = std::shared_ptr<Sleeper>;

  /// A loop outlives its attached sleepers.
  void attach(const SleeperPtr& sleeper);
  void detach(const SleeperPtr& sleeper);
  /// `sleeper` is called once by the next wake_all.
  void wait(const SleeperPtr& sleeper);
  void wake_all();

 private:
  static void run(const std::shared_ptr<Batch>& batch);

  std::vector<std::shared_ptr<Batch>> batches_;  ///< one a loop
};

}  // namespace headgate::cache
