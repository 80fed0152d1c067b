// SPDX-License-Identifier: MIT
// Recorded requests under two configurations: which of them would be decided in another way, and
// what that does to the cache and the origins. Nothing is fetched, nobody is asked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "appliance/snapshot/configuration.h"
#include "reconciler/plan/plan.h"
#include "reconciler/plan/recorded_request.h"

namespace headgate::reconciler {

/// What one configuration makes of the requests, with a cache that is empty before the first of
/// them, has room for all, and keeps each response as long as its policy says of one that says
/// nothing itself.
struct ReplayTotals {
  std::uint64_t cacheable = 0;  ///< requests that ask the cache
  std::uint64_t hits = 0;
  std::uint64_t origin_requests = 0;
  std::uint64_t origin_bytes = 0;  ///< of what viewers were sent when the requests were recorded
  std::uint64_t refused = 0;       ///< by the edge itself
};

/// Requests with the same difference.
struct ReplayChange {
  std::string what;  ///< "origin", "refused", "cache key", …
  std::string before;
  std::string after;
  std::uint64_t count = 0;
  std::string example;  ///< "GET https://…"
};

struct ReplayReport {
  std::uint64_t requests = 0;
  std::uint64_t changed = 0;          ///< of them
  std::vector<ReplayChange> changes;  ///< the most frequent first
  ReplayTotals before;
  ReplayTotals after;
  std::uint64_t unusable = 0;  ///< of what was recorded: no request can be like that
};

/// Threads: one.
class Replay {
 public:
  Replay(std::shared_ptr<const snapshot::Configuration> before,
         std::shared_ptr<const snapshot::Configuration> after);
  ~Replay();
  void add(const RecordedRequest& request);
  ReplayReport report() const;

 private:
  class Side;
  std::unique_ptr<Side> before_;
  std::unique_ptr<Side> after_;
  ReplayReport report_;
  /// By what, before and after. Kinds of differences are few, values may be as many as requests:
  /// what does not fit goes into one that names no values.
  std::map<std::tuple<std::string, std::string, std::string>, ReplayChange> changes_;
};

/// `{"requests", "skipped", "changed", "changes": […], "before": {…}, "after": {…}}`.
Json to_json(const ReplayReport& report);
/// For people.
std::string to_text(const ReplayReport& report);

}  // namespace headgate::reconciler
