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

}  // namespace headgate::snapshot
