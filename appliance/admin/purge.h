// SPDX-License-Identifier: MIT
// What the admin listener needs to know of invalidations: the urgent path and what came of them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/units.h"
#include "schema/model/resources.h"

namespace headgate::admin {

/// One invalidation as others may see it.
struct InvalidationView {
  std::string id;
  std::string distribution;
  std::vector<std::string> paths;  ///< and its tags, as "#tag"
  std::string state;               ///< Pending, Active, Swept, Rejected
  std::optional<Timestamp> created;
  std::string json;  ///< the whole of it
};

struct PurgeReply {
  enum class Outcome {
    Created,         ///< recorded durably and in force
    Known,           ///< the same was recorded before: nothing was done
    Mismatch,        ///< the id was used for something else
    NoDistribution,  ///< there is no such distribution
    TooMany,         ///< more patterns than an edge keeps: later again
    Refused,         ///< it cannot be done; `problem` says why
    Unavailable,     ///< nothing serves yet, or the state cannot be written
  };
  Outcome outcome = Outcome::Unavailable;
  std::string problem;  ///< one line, when it was neither created nor known
  std::optional<InvalidationView> view;
};

/// What a purge would touch of what is cached.
struct PurgeEstimate {
  std::uint64_t responses = 0;
  std::uint64_t bytes = 0;
};

/// Threads: any of the listener's.
struct Purging {
  /// Returns when the purge is durable and every look-up from now on heeds it.
  std::function<PurgeReply(const schema::Invalidation&)> purge;
  /// Newest first; null when there is no such distribution.
  std::function<std::optional<std::vector<InvalidationView>>(const std::string& distribution)> list;
  /// Changes nothing.
  std::function<PurgeEstimate(const schema::Invalidation&)> estimate = {};
};

}  // namespace headgate::admin
