// SPDX-License-Identifier: MIT
// What fetches of one worker have in common.
#pragma once

#include <memory>
#include <unordered_map>

#include "appliance/base/loop.h"
#include "appliance/cache/fill/fill.h"
#include "appliance/cache/purge/uri_invalidation.h"
#include "appliance/cache/store/store.h"
#include "appliance/guard/held_bodies.h"
#include "appliance/observe/metrics.h"
#include "appliance/origin/client.h"
#include "appliance/server/transfer/encoding.h"

namespace headgate::server {

/// A fetch that its worker keeps alive until it has ended, whoever still wants it. Threads: the
/// worker's.
class Job {
 public:
  virtual ~Job() = default;
  /// Ends it now; nothing happens when it has ended.
  virtual void cancel() = 0;
};

/// Those that have not ended.
using Jobs = std::unordered_map<Job*, std::shared_ptr<Job>>;

/// What a fetch needs of its worker. Threads: the worker's.
struct FetchContext {
  base::Loop& loop;
  origin::Client& origins;
  cache::Store& store;
  cache::FillTable& fills;
  const cache::UriInvalidations& changes;
  Encodings& encodings;
  guard::HeldBodies& held_bodies;
  observe::WorkerMetrics& metrics;
  Jobs& jobs;
};

/// Takes `job` out of those that have not ended. It may be inside a call-back of its own fetch: it
/// goes once that has returned.
inline void retire(const FetchContext& context, Job& job) {
  const auto self = context.jobs.find(&job);
  context.loop.post([kept = std::move(self->second)] {});
  context.jobs.erase(self);
}

}  // namespace headgate::server
