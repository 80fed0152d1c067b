// SPDX-License-Identifier: MIT
#include "appliance/snapshot/snapshot.h"

#include <fmt/format.h>

#include <utility>

namespace headgate::snapshot {

std::string generation_label(std::uint64_t generation, const std::string& commit) {
  return commit.empty() ? fmt::format("{}", generation)
                        : fmt::format("{}-{}", generation, commit.substr(0, 7));
}

void SnapshotHolder::publish(std::shared_ptr<const Snapshot> snapshot,
                             std::shared_ptr<const Snapshot> other,
                             std::shared_ptr<const Split> split) {
  Published oldest;  // freed after the lock has been given up
  const base::MutexLock lock(mutex_);
  oldest = std::exchange(previous_, std::move(published_));
  published_ = {std::move(snapshot), std::move(other), std::move(split)};
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const Snapshot> SnapshotHolder::get() const { return published().live; }

Published SnapshotHolder::published() const {
  const base::MutexLock lock(mutex_);
  return published_;
}

}  // namespace headgate::snapshot
