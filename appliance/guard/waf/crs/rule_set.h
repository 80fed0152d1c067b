// SPDX-License-Identifier: MIT
// A compiled program with its options: immutable, shared by all requests.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "appliance/guard/waf/crs/link.h"
#include "appliance/guard/waf/crs/options.h"
#include "appliance/guard/waf/crs/prescan.h"
#include "appliance/guard/waf/crs/tx.h"
#include "appliance/guard/waf/text/chain.h"

namespace headgate::guard::waf {

constexpr int kPhases = 5;

/// Threads: const members are safe everywhere.
class RuleSet {
 public:
  /// Takes seconds for the CRS unless `cache` has the databases: not for an event loop. `cache` may
  /// be null. Errors: options that mean nothing (a paranoia of 7), patterns that cannot be
  /// compiled.
  static Result<std::shared_ptr<const RuleSet>> compile(Program program, const CrsOptions& options,
                                                        Prescan::Cache* cache = nullptr);

  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;

  const CrsOptions& options() const { return options_; }
  /// Rules, without the further links of chains.
  std::size_t size() const { return heads_.size(); }
  const Rule& rule(RuleIndex index) const { return links_[heads_[index].link].rule; }

 private:
  friend class Transaction;
  friend class Compiler;
  RuleSet() = default;

  struct CompiledExclusion {
    std::vector<RuleIndex> rules;
    bool whole_rule;
    Selector target;
    Exclusion::Path match;
    std::string path;
  };

  CrsOptions options_;
  std::vector<Link> links_;
  std::vector<Head> heads_;
  std::vector<RuleIndex> phases_[kPhases + 1];  ///< by phase, from 1
  ChainTable chains_;
  TxNames tx_names_;
  std::vector<std::pair<TxSlot, std::string>> tx_initial_;
  Prescan prescan_;
  std::vector<Collection> scanned_by_[kPhases + 1];  ///< what its rules' patterns are looked for in
  std::vector<CompiledExclusion> exclusions_;
};

/// Databases as files in `folder`, named by digest; files that cannot be read or written are as if
/// there were no cache.
std::unique_ptr<Prescan::Cache> pattern_cache_on_disk(const std::string& folder);

}  // namespace headgate::guard::waf
