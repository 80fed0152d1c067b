// SPDX-License-Identifier: MIT
// `headgate explain`: the decision about one request, step by step, one line a step.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/snapshot/configuration.h"

namespace headgate::snapshot {

struct ExplainRequest {
  std::string method = "GET";
  std::string url;  ///< absolute
  std::vector<std::pair<std::string, std::string>> headers;
  std::string country;  ///< empty: by `ip` and the database
  std::string ip;
  std::string body = {};
  std::optional<base::WallTime> at = {};  ///< when it comes; empty: now
};
/// Errors: Blame::Config for a URL that is none.
Result<std::string> explain(const Configuration& configuration, const ExplainRequest& request);

}  // namespace headgate::snapshot
