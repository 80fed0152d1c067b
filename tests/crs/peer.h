// SPDX-License-Identifier: MIT
// The same requests through libmodsecurity: what our engine is compared with.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "tests/crs/case.h"

namespace headgate::crs_test {

/// libmodsecurity with the CRS and the same set-up.
class Peer {
 public:
  Peer(const std::string& rules_folder, int paranoia);
  ~Peer();
  /// Ids of the rules that matched and are logged.
  std::set<std::string> evaluate(const WireRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace headgate::crs_test
