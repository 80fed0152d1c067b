// SPDX-License-Identifier: MIT
// What an operator says about a rule set: paranoia, thresholds, exceptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "appliance/guard/waf/body/content.h"
#include "appliance/guard/waf/seclang/program.h"

namespace headgate::guard::waf {

/// Rules by id range or by tag; a tag counts as a whole word. Neither given: all rules.
struct RuleSelection {
  int first_id = 0;
  int last_id = 0;
  std::string tag;
  bool selects(const Rule& rule) const;
  std::string text() const;  ///< "942100", "942100-942199", "tag:attack-sqli"
};

/// A rule that is treated differently.
struct Override {
  enum class Mode : std::uint8_t {
    Off,    ///< not evaluated
    Count,  ///< reported when it matches; scores nothing, stops nothing
  };
  RuleSelection rules;
  Mode mode = Mode::Count;
};

/// What rules do not look at, or which rules do not look, on some paths.
struct Exclusion {
  enum class Path : std::uint8_t { Any, Exact, Prefix };
  RuleSelection rules;
  bool whole_rule = true;  ///< false: only `target` is left out
  Target target;
  Path match = Path::Any;
  std::string path;  ///< compared with the path that is given to the transaction
};

/// The values of crs-setup, and ours.
struct CrsOptions {
  int paranoia = 1;            ///< 1 to 4: rules above it do not run
  int executing_paranoia = 0;  ///< rules up to it run, those above `paranoia` without scoring; 0:
                               ///< as `paranoia`
  int inbound_threshold = 5;
  int outbound_threshold = 4;
  /// Any other variable of crs-setup without "tx.", in lower case: "allowed_methods" … One that no
  /// rule reads is an error, as is an override or an exclusion that selects none.
  std::map<std::string, std::string> variables;
  std::vector<Override> overrides;
  std::vector<Exclusion> exclusions;
  bool detection_only = false;  ///< evaluate and report, never deny
  BodyLimits body;
  /// Octets of text that one request may have looked at, all passes counted.
  std::size_t work_octets = 64 << 20;
  /// Of the thread, for one phase of one request; checked now and then. Several times what honest
  /// requests need.
  std::int64_t cpu_nanoseconds = 20'000'000;
  std::int64_t cpu_nanoseconds_per_octet = 200;  ///< more for a body
};

}  // namespace headgate::guard::waf
