// SPDX-License-Identifier: MIT
// A worker's own view of the published snapshot: pinned by requests without an atomic operation
// that workers would fight over.
#pragma once

#include <memory>
#include <utility>

#include "appliance/snapshot/snapshot.h"

namespace headgate::server {

/// Keeps the snapshot of the moment it was made for as long as it lives.
/// Threads: the worker's.
class SnapshotPin {
 public:
  SnapshotPin() = default;
  SnapshotPin(SnapshotPin&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  SnapshotPin& operator=(SnapshotPin&& other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~SnapshotPin() {
    if (held_ != nullptr && --held_->pins == 0) delete held_;
  }

  explicit operator bool() const { return held_ != nullptr && held_->snapshot != nullptr; }
  const snapshot::Snapshot* operator->() const { return held_->snapshot.get(); }
  const snapshot::Snapshot& operator*() const { return *held_->snapshot; }
  /// For what outlives the request or leaves the worker.
  const std::shared_ptr<const snapshot::Snapshot>& share() const { return held_->snapshot; }

 private:
  friend class LocalSnapshot;
  struct Held {
    std::shared_ptr<const snapshot::Snapshot> snapshot;
    unsigned pins = 0;
  };
  explicit SnapshotPin(Held* held) : held_(held) { ++held_->pins; }
  Held* held_ = nullptr;
};

/// Looks at the holder's version at every pin. Generations never go backwards on a worker, so
/// neither do they on a connection; except while two serve: then not for a viewer, or, where they
/// are compared because one of them fails, not at all.
/// Threads: the worker's.
class LocalSnapshot {
 public:
  explicit LocalSnapshot(const snapshot::SnapshotHolder& holder) : holder_(holder) {}

  /// Of a request of which nothing is known yet: see `split`.
  SnapshotPin pin() {
    if (const auto version = holder_.version(); version != version_) {
      version_ = version;
      snapshot::Published published = holder_.published();
      live_ = hold(std::move(published.live));
      other_ = hold(std::move(published.other));
      split_ = std::move(published.split);
    }
    const bool takes_turns = other_.held_ != nullptr && split_ == nullptr;
    return again(takes_turns && (turn_ = !turn_) ? other_ : live_);
  }

  /// Who gets `pin_other` instead of what `pin` gave; null: nobody.
  const snapshot::Split* split() const { return split_.get(); }
  SnapshotPin pin_other() { return again(other_); }

  /// Whether two generations serve side by side.
  bool is_divided() const { return other_.held_ != nullptr; }

 private:
  static SnapshotPin again(const SnapshotPin& pin) {
    return pin.held_ == nullptr ? SnapshotPin() : SnapshotPin(pin.held_);
  }
  static SnapshotPin hold(std::shared_ptr<const snapshot::Snapshot> snapshot) {
    if (snapshot == nullptr) return {};
    auto held = std::make_unique<SnapshotPin::Held>();
    held->snapshot = std::move(snapshot);
    return SnapshotPin(held.release());
  }

  const snapshot::SnapshotHolder& holder_;
  std::uint64_t version_ = 0;
  SnapshotPin live_;
  SnapshotPin other_;
  std::shared_ptr<const snapshot::Split> split_;
  bool turn_ = false;
};

}  // namespace headgate::server
