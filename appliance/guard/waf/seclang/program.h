// SPDX-License-Identifier: MIT
// A SecLang program as it was read: every rule with its targets, operator and actions, and where it
// stands.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "appliance/guard/waf/seclang/names.h"
#include "appliance/guard/waf/text/transformation.h"

namespace headgate::guard::waf {

struct Location {
  std::string file;
  int line = 0;
};

/// Something that was not understood, or is not supported, and what to do about it.
struct Problem {
  Location location;
  std::string message;
  /// "FILE:LINE: MESSAGE".
  std::string text() const;
};

/// A text with %{…} in it.
struct Macro {
  struct Variable {
    Collection collection = Collection::Tx;
    std::string name;  ///< lower case; empty for collections of one value
  };
  using Piece = std::variant<std::string, Variable>;
  std::vector<Piece> pieces;

  /// The text where it has no variables, else null.
  const std::string* literal() const;
};

/// ARGS:name, !ARGS:/regex/, &ARGS …
struct Target {
  enum class Select : std::uint8_t { All, Name, Regex };
  Collection collection = Collection::Args;
  Select select = Select::All;
  std::string selector;  ///< a name, or a regex without its slashes; any letter case
  bool count = false;    ///< &: how many there are, instead of the values
  bool exclude = false;  ///< !
};

struct Operator {
  OperatorKind kind = OperatorKind::Unconditional;
  bool negated = false;
  Macro argument;
  std::vector<std::string> phrases;  ///< of pm and pmFromFile
};

/// setvar:tx.a=+1
struct SetVariable {
  enum class How : std::uint8_t { Set, Add, Subtract, Unset };
  How how = How::Set;
  Collection collection = Collection::Tx;
  Macro name;
  Macro value;
};

/// expirevar:ip.a=60
struct ExpireVariable {
  Collection collection = Collection::Ip;
  std::string name;
  Macro seconds;
};

/// initcol:ip=%{REMOTE_ADDR}
struct InitCollection {
  Collection collection = Collection::Ip;
  Macro key;
};

/// ctl:…
struct Control {
  enum class Kind : std::uint8_t {
    RemoveById,
    RemoveByTag,
    RemoveTargetById,
    RemoveTargetByTag,
    RuleEngineOff,
    RuleEngineDetectionOnly,
    RuleEngineOn,
    RequestBodyProcessor,
    ForceRequestBodyVariable,
  };
  Kind kind = Kind::RemoveById;
  int first_id = 0;
  int last_id = 0;
  std::string tag;        ///< a regex, as ModSecurity takes it
  Target target;          ///< what no longer counts
  std::string processor;  ///< URLENCODED, JSON, XML or MULTIPART
  bool on = false;
};

using Effect = std::variant<SetVariable, ExpireVariable, InitCollection, Control>;

enum class Disruption : std::uint8_t {
  None,  ///< nothing said: the default action's
  Pass,
  Block,  ///< the default action's
  Deny,
  Drop,
};

/// SecRule or SecAction, and each link of a chain.
struct Rule {
  Location location;
  int id = 0;  ///< 0 in the links of a chain behind its first
  int phase = 2;
  std::vector<Target> targets;  ///< none for SecAction
  Operator op;
  std::vector<Transformation> transformations;
  Disruption disruption = Disruption::None;
  int status = 0;  ///< 0: the default action's
  std::optional<bool> log;
  bool capture = false;
  bool multi_match = false;
  bool chained = false;  ///< the next rule is a further link
  std::string skip_after;
  Macro message;
  Macro logdata;
  int severity = -1;  ///< 0 (emergency) to 7 (debug); -1: not said
  std::vector<std::string> tags;
  std::vector<Effect> effects;  ///< in order
};

struct Marker {
  std::string name;
};

/// SecDefaultAction of a phase.
struct DefaultAction {
  Disruption disruption = Disruption::Pass;
  int status = 403;
  bool log = true;
};

struct Program {
  using Item = std::variant<Rule, Marker>;
  std::vector<Item> items;    ///< in order; links of a chain follow each other
  DefaultAction defaults[6];  ///< by phase, 1 to 5
  int collection_timeout_seconds = 3600;
};

}  // namespace headgate::guard::waf
