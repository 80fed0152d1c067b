// SPDX-License-Identifier: MIT
// What is known about each URL of the source, for conditions, /status and metrics.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/observe/metrics.h"
#include "reconciler/state/journal.h"
#include "schema/model/layout.h"

namespace headgate::reconciler {

/// One URL, as it was when it was last asked.
struct RemoteReport {
  enum class State { Unasked, Serving, Standby, Failed, Behind, Diverged };
  std::string url;  ///< without credentials
  State state = State::Unasked;
  std::string message;  ///< why it is not served from; empty otherwise
  std::string commit;   ///< that it named last
  std::optional<base::WallTime> asked_at;
  std::map<State, std::uint64_t> answers;  ///< how often it was found to be so
};
/// "unasked", "serving", "standby" (it has answered, and another one serves), "failed", "behind",
/// "diverged".
std::string_view name(RemoteReport::State state);

struct SourceReport {
  std::vector<RemoteReport> remotes;  ///< in the order of the URLs
  schema::Layout layout;              ///< of what is read from them
  std::string name;                   ///< of the ref that was found: "main", "v1.2.3"

  /// "FellBack", "Behind" or "Diverged" where several URLs are followed and one is not as it should
  /// be, by what says most; empty: all is well.
  std::string trouble() const;
  /// What is wrong with which URL, and which serves.
  std::string explain() const;
};

/// `{"url", "state", "commit", "message", "asked"}` for each.
Json to_json(const SourceReport& report);
std::vector<observe::Family> families(const SourceReport& report);

}  // namespace headgate::reconciler
