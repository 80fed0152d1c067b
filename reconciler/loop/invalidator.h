// SPDX-License-Identifier: MIT
// Purges that no commit brings: the urgent path, what has become due, and the sweep that follows
// every purge.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "appliance/admin/purge.h"
#include "appliance/base/mutex.h"
#include "appliance/cache/purge/sweep.h"
#include "appliance/observe/metrics.h"
#include "reconciler/loop/activator.h"

namespace headgate::reconciler {

/// `mutex` serialises whoever uses `activator`; it is held while a record is synced, never while
/// something is fetched, compiled or swept. Threads: tick and sweep from one; the rest from any.
class Invalidator {
 public:
  using Sweep = std::function<cache::Swept(const cache::PurgeTable&)>;
  using Count = std::function<std::vector<cache::Selected>(const cache::PurgeTable&)>;

  Invalidator(base::Mutex& mutex, Activator& activator,
              std::function<void(const std::string&)> log);

  /// Goes over the cache; without one rules stay for ever. Before the first tick.
  void set_sweep(Sweep sweep) { sweep_ = std::move(sweep); }
  /// Counts in the cache; without one every estimate is 0. Before anybody asks.
  void set_count(Count count) { count_ = std::move(count); }

  /// Returns when the purge is durable and in force, or with the reason why not.
  admin::PurgeReply purge(const schema::Invalidation& invalidation);
  /// What each would touch of what is cached now, looked at once; changes nothing. One that has run
  /// already touches nothing, nor does an undo.
  std::vector<cache::Selected> estimate(
      const std::vector<const schema::Invalidation*>& invalidations) const;
  /// Newest first; none when there is no such distribution.
  std::optional<std::vector<admin::InvalidationView>> list(const std::string& distribution) const;
  /// Every invalidation, also those that are still to come.
  Json to_json() const;
  std::vector<observe::Family> families() const;

  /// What has become due since the last time: notBefore, ticks of schedules, the end of retention;
  /// and a sweep, from time to time.
  void tick();
  /// A sweep now.
  void sweep();

 private:
  void run_due();
  void run(const std::vector<schema::Invalidation>& due, const std::string& source,
           const std::map<std::string, Timestamp>& schedules);
  std::vector<schema::Invalidation> due_by_date() const;
  std::vector<schema::Invalidation> due_by_schedule(
      std::map<std::string, Timestamp>& schedules) const;
  std::vector<Json> pending() const;
  std::optional<admin::PurgeReply> refuse(const schema::Invalidation& invalidation) const;

  base::Mutex& mutex_;
  Activator& activator_;
  const std::function<void(const std::string&)> log_;
  Sweep sweep_;
  Count count_;
  Timestamp last_tick_;
  std::optional<std::chrono::steady_clock::time_point> next_sweep_;
  bool complained_ = false;                        ///< about what is due and cannot run
  std::map<std::string, std::uint64_t> requests_;  ///< by source and outcome, as labels
  std::uint64_t sweeps_ = 0;
  double sweep_seconds_ = 0;
};

}  // namespace headgate::reconciler
