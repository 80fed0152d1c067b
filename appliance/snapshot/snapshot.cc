// SPDX-License-Identifier: MIT
#include "appliance/snapshot/snapshot.h"

#include <fmt/format.h>

namespace headgate::snapshot {

std::string generation_label(std::uint64_t generation, const std::string& commit) {
  return commit.empty() ? fmt::format("{}", generation)
                        : fmt::format("{}-{}", generation, commit.substr(0, 7));
}

void SnapshotHolder::publish(std::shared_ptr<const Snapshot> snapshot) {
  std::shared_ptr<const Snapshot> oldest;  // freed after the lock has been given up
  const base::MutexLock lock(mutex_);
  oldest = std::move(previous_);
  previous_ = std::move(snapshot_);
  snapshot_ = std::move(snapshot);
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const Snapshot> SnapshotHolder::get() const {
  const base::MutexLock lock(mutex_);
  return snapshot_;
}

}  // namespace headgate::snapshot
