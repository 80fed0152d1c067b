// SPDX-License-Identifier: MIT
// Runs a repository's `kind: Expect` cases against its compiled configuration: no daemon, no
// network.
#pragma once

#include <string>
#include <vector>

#include "appliance/snapshot/configuration.h"

namespace headgate::snapshot {

struct ExpectFailure {
  std::string file;
  int line = 0;
  std::string expect;   ///< metadata.name
  std::string request;  ///< "GET https://…"
  std::string message;  ///< "behavior: expected /api/*, got *"
};

struct ExpectReport {
  std::size_t cases = 0;
  std::vector<ExpectFailure> failures;
};

ExpectReport run_expectations(const Configuration& configuration);

/// `headgate explain`: the decision step by step, one line a step.
struct ExplainRequest {
  std::string method = "GET";
  std::string url;  ///< absolute
  std::vector<std::pair<std::string, std::string>> headers;
  std::string country;  ///< empty: by `ip` and the database
  std::string ip;
  std::string body = {};
};
/// Errors: Blame::Config for a URL that is none.
Result<std::string> explain(const Configuration& configuration, const ExplainRequest& request);

}  // namespace headgate::snapshot
