// SPDX-License-Identifier: MIT
// A queue of entries, linked in place, that knows how many octets they charge.
#pragma once

#include <cstdint>

#include "appliance/cache/policy/policy.h"

namespace headgate::cache {

/// Threads: none of its own.
class EntryList {
 public:
  void push(Policy::Entry& entry) {
    entry.links = {.newer = nullptr, .older = newest_};
    (newest_ != nullptr ? newest_->links.newer : oldest_) = &entry;
    newest_ = &entry;
    bytes_ += entry.charge;
  }
  void unlink(Policy::Entry& entry) {
    const Policy::Entry::Links links = entry.links;
    (links.newer != nullptr ? links.newer->links.older : newest_) = links.older;
    (links.older != nullptr ? links.older->links.newer : oldest_) = links.newer;
    bytes_ -= entry.charge;
    entry.links = {};
  }
  /// Null when there is none.
  Policy::Entry* oldest() const { return oldest_; }
  Policy::Entry* newest() const { return newest_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  Policy::Entry* newest_ = nullptr;
  Policy::Entry* oldest_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace headgate::cache
