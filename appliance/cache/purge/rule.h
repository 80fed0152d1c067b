// SPDX-License-Identifier: MIT
// One invalidation as the cache sees it: what it selects, since when, and what it has come to.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/time.h"

namespace headgate::cache {

enum class PurgeMode { Revalidate, Delete };

/// What the invalidations say of a response, the stronger the later. Soft: it may be used once the
/// origin has confirmed it. Kept: it may not be used, but an undo may bring it back. Hard: it may
/// go.
enum class Purged { No, Soft, Kept, Hard };

/// Generations of the configuration.
struct Generations {
  std::vector<std::uint64_t> exact;
  std::uint64_t through =
      0;  ///< and every one up to this: those of which nothing is known any more
  bool contains(std::uint64_t generation) const {
    return generation <= through ||
           std::find(exact.begin(), exact.end(), generation) != exact.end();
  }
};

/// A response is selected when one of `paths` or `tags` is its own (any response, when both are
/// empty) and when it meets each of the other members that is given. Texts are in lower case but
/// for paths and the behavior.
struct PurgeSelect {
  std::vector<std::string> paths = {};  ///< with the query of the key; '*' is any characters
  std::vector<std::string> tags = {};
  std::vector<std::string> hosts = {};
  std::vector<std::string> content_types = {};  ///< "image/webp", "image/*"
  std::vector<int> statuses = {};
  std::optional<base::WallTime> stored_before = {};
  std::optional<Generations> generations = {};  ///< under which it was fetched
  std::string behavior = {};                    ///< path pattern

  /// Whether there are conditions beyond paths and tags.
  bool narrows() const {
    return !hosts.empty() || !content_types.empty() || !statuses.empty() || stored_before ||
           generations || !behavior.empty();
  }
};

/// What an invalidation would come to.
struct Selected {
  std::uint64_t responses = 0;
  std::uint64_t bytes = 0;  ///< of memory
};

/// What an invalidation has come to. Threads: any.
struct PurgeCount {
  std::atomic<std::uint64_t> matched{0};      ///< responses, each once
  std::atomic<std::uint64_t> freed_bytes{0};  ///< of memory
};

/// Threads: immutable, but for what `count` points at.
struct PurgeRule {
  std::string id;
  std::string distribution;
  PurgeSelect select;
  PurgeMode mode = PurgeMode::Revalidate;
  std::uint64_t epoch = 0;  ///< responses with a lower one are concerned
  bool retained = false;    ///< it can still be undone: what it selects is kept
  std::shared_ptr<PurgeCount> count = std::make_shared<PurgeCount>();

  Purged verdict() const {
    if (mode == PurgeMode::Revalidate) return Purged::Soft;
    return retained ? Purged::Kept : Purged::Hard;
  }
};

}  // namespace headgate::cache
