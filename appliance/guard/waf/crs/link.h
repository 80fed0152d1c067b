// SPDX-License-Identifier: MIT
// A rule as it runs: selectors and operators compiled, names turned into numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/guard/waf/crs/tx.h"
#include "appliance/guard/waf/match/ip_set.h"
#include "appliance/guard/waf/match/phrases.h"
#include "appliance/guard/waf/match/regex.h"
#include "appliance/guard/waf/match/validate.h"
#include "appliance/guard/waf/seclang/program.h"
#include "appliance/guard/waf/text/chain.h"

namespace headgate::guard::waf {

/// A Target that can be asked whether it means a name.
struct Selector {
  Collection collection = Collection::Args;
  Target::Select select = Target::Select::All;
  std::string name;  ///< lower case
  std::shared_ptr<const Regex> regex;
  std::optional<TxSlot> slot;  ///< of a name in TX
  std::vector<TxSlot> slots;   ///< of TX, that the regex selects

  static Result<Selector> compile(const Target& target, TxNames& names);
  bool selects(std::string_view value_name, Workspace& workspace) const;
};

/// A Macro whose TX names are slots.
struct Template {
  struct Piece {
    bool literal = true;
    std::string text;  ///< the literal, or the name within `collection`
    Collection collection = Collection::Tx;
    TxSlot slot = 0;  ///< of TX
  };
  std::vector<Piece> pieces;

  static Template compile(const Macro& macro, TxNames& names);
  bool constant() const { return pieces.empty() || (pieces.size() == 1 && pieces[0].literal); }
};

using RuleIndex = std::uint32_t;  ///< of a rule that is no further link of a chain

/// An Effect, compiled.
struct CompiledSet {
  SetVariable::How how;
  Collection collection;
  std::optional<TxSlot> slot;  ///< of TX, where the name is constant
  Template name;
  Template value;
};
struct CompiledExpire {
  Collection collection;
  std::string name;
  Template seconds;
};
struct CompiledInit {
  Collection collection;
  Template key;
};
struct CompiledControl {
  Control::Kind kind;
  std::vector<RuleIndex> rules;  ///< that it removes, or whose target it removes
  Selector target;
  std::string processor;
  bool on = false;
};
using CompiledEffect = std::variant<CompiledSet, CompiledExpire, CompiledInit>;

/// One link of a chain; most rules are a single link.
struct Link {
  Rule rule;
  std::vector<Selector> targets;  ///< in order, those of &counts in `counts`
  std::vector<bool> counts;
  std::vector<Selector> exclusions;

  Template argument;
  std::optional<Regex> regex;  ///< of @rx, unless `argument` has variables
  std::optional<Phrases> phrases;
  IpSet addresses;
  ByteRange octets;

  /// The chain of transformations; with multiMatch all its beginnings, each of which is looked at.
  std::vector<ChainId> chains;
  /// Which list of PrescanHits tells where it may match; none: every value is looked at.
  std::optional<std::uint32_t> prescan;
  std::vector<bool> prescanned;  ///< by target: whether that list covers it
  bool all_prescanned = false;

  std::vector<CompiledEffect> effects;
  std::vector<CompiledControl> controls;
  Template message;
  Template logdata;
  std::optional<std::uint32_t> next;  ///< the further link, in the rule set's list
};

/// A rule of a phase: its first link, and how it is treated.
struct Head {
  std::uint32_t link = 0;
  bool count_only = false;
  bool log = true;
  Disruption disruption = Disruption::Pass;  ///< Pass, Deny or Drop
  int status = 403;
  std::uint32_t skip_to = 0;  ///< where the phase goes on after skipAfter; 0: no skipAfter
  std::uint32_t phase_index = 0;
};

}  // namespace headgate::guard::waf
