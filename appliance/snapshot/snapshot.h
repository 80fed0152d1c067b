// SPDX-License-Identifier: MIT
// What one commit is to a request: a compiled configuration and the purges that came with it, under
// one generation.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "appliance/base/mutex.h"
#include "appliance/cache/purge/table.h"
#include "appliance/snapshot/configuration.h"
#include "appliance/snapshot/split.h"

namespace headgate::snapshot {

/// Threads: immutable. A request pins exactly one.
struct Snapshot {
  std::uint64_t generation = 0;
  std::string commit;  ///< full object id; empty for a folder
  std::string label;   ///< "412-9f3c2ab": the Headgate-Generation header
  std::shared_ptr<const Configuration> configuration;
  std::shared_ptr<const cache::PurgeTable> purges;
  std::uint8_t lane = 0;  ///< where its requests are counted apart from those of other generations
};

/// What serves at a moment.
struct Published {
  std::shared_ptr<const Snapshot> live;
  std::shared_ptr<const Snapshot> other;  ///< beside it; null: none
  std::shared_ptr<const Split> split;     ///< who gets the other; null: every second request
};

/// "412-9f3c2ab" from a generation and a commit.
std::string generation_label(std::uint64_t generation, const std::string& commit);

/// Where the reconciler publishes and every worker looks: one load a request, a mutex only when it
/// changed. The snapshot before the current one is kept: so it is the publisher that frees old
/// ones, which takes a while, and not a worker. Threads: publish from one at a time, the rest from
/// any.
class SnapshotHolder {
 public:
  /// TLS, and all else that is no viewer's request, knows the live one only.
  void publish(std::shared_ptr<const Snapshot> snapshot,
               std::shared_ptr<const Snapshot> other = nullptr,
               std::shared_ptr<const Split> split = nullptr);
  std::shared_ptr<const Snapshot> get() const;  ///< null before the first publish
  Published published() const;
  /// Changes with every publish; 0 before the first.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> version_{0};
  mutable base::Mutex mutex_;
  Published published_ GUARDED_BY(mutex_);
  Published previous_ GUARDED_BY(mutex_);
};

}  // namespace headgate::snapshot
