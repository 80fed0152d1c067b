// SPDX-License-Identifier: MIT
// Requests of cases through our engine.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "appliance/guard/waf/crs/transaction.h"
#include "tests/crs/case.h"

namespace headgate::crs_test {

/// The CRS in `folder` with `options`, its databases kept in `cache_folder` unless that is empty.
/// Ends the program with every problem when there is one.
std::shared_ptr<const guard::waf::RuleSet> load_crs(const std::string& folder,
                                                    const guard::waf::CrsOptions& options,
                                                    const std::string& cache_folder);

/// What the CRS's own regression tests assume, at `paranoia`.
guard::waf::CrsOptions regression_options(int paranoia);

struct Outcome {
  std::set<std::string> rules;  ///< ids of those that matched and are logged
  guard::waf::Decision decision;
  std::vector<guard::waf::Match> matches;
};

/// All phases, the origin answering 200 without content.
Outcome evaluate(const guard::waf::RuleSet& rules, guard::waf::Workspace& workspace,
                 const WireRequest& request);

}  // namespace headgate::crs_test
