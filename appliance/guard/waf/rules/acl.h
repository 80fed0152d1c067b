// SPDX-License-Identifier: MIT
// A web ACL, compiled: from a request to what becomes of it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/hash.h"
#include "appliance/guard/waf/bots/bots.h"
#include "appliance/guard/waf/rules/program.h"
#include "appliance/guard/waf/rules/shared.h"
#include "appliance/guard/waf/rules/view.h"
#include "schema/base/result.h"
#include "schema/model/web_acl.h"

namespace headgate::guard::waf {

class RuleSet;
class Scratch;

struct RateRule {
  std::uint32_t limit = 0;
  Duration window{};
  int ipv6_prefix = 64;
  base::Hash128 identity;  ///< of the ACL's and the rule's name and all that the rule says
  struct Key {
    enum class Kind : std::uint8_t {
      Ip,
      ForwardedIp,
      Header,
      Cookie,
      Arg,
      Path,
      Method,
      Country,
      Asn,
      Ja3,
      Ja4,
      Label
    };
    Kind kind = Kind::Ip;
    std::string name;
  };
  std::vector<Key> keys;
};

struct AclRule {
  std::string name;
  std::int64_t expression = -1;  ///< -1: every request
  std::optional<RateRule> rate;
  std::shared_ptr<const RuleSet> managed;  ///< null: none
  std::vector<std::string> labels;
  schema::WafAction action;
  std::shared_ptr<Tally> tally;  ///< null offline
};

/// What is known of one request so far, and then what becomes of it. In the request's memory.
struct Inspection {
  explicit Inspection(std::pmr::memory_resource& memory)
      : labels(&memory), matched(&memory), inserted(&memory) {}

  enum class Outcome : std::uint8_t { NeedsBody, Allow, Block, Challenge };
  Outcome outcome = Outcome::NeedsBody;
  const AclRule* rule = nullptr;  ///< that decided; null: the default action
  const schema::WafAction* action = nullptr;
  Duration retry_after{};       ///< of a rate rule
  std::string_view challenge;   ///< to be solved, in the request's memory
  bool exhausted = false;       ///< the budget was used up
  bool has_bot_labels = false;  ///< those of `bots` have been set
  std::uint32_t next_rule = 0;
  std::pmr::vector<std::string_view> labels;
  std::pmr::vector<std::string_view> matched;  ///< names of rules, in their order
  std::pmr::vector<http::Field> inserted;      ///< into the request to the origin
};

/// Threads: immutable; `inspect` from any, each with a Scratch of its own.
class Acl {
 public:
  struct Options {
    std::shared_ptr<Shared> shared;  ///< null offline: rates are not counted, nothing is tallied
    std::shared_ptr<const Challenges> challenges;  ///< null: the edge's own
    std::string patterns = {};                     ///< folder for compiled databases; empty: none
  };
  /// What is wrong with the source, and in which line of its file; 0: with all of it.
  struct Problem {
    int line = 0;
    std::string message;
  };
  /// Takes milliseconds to seconds: not for a loop. Errors: one for each rule that has any.
  static tl::expected<std::shared_ptr<const Acl>, std::vector<Problem>> compile(
      const schema::WebAcl& source, const Options& options);

  /// Called with what a rule that matches has found, for explain.
  using Trace = std::function<void(std::string)>;

  /// Goes on from `inspection` as far as it can: when the outcome is NeedsBody, to be called again
  /// with a view that has one. `memory` lives as long as the inspection. `trace` may be null.
  void inspect(const View& view, Inspection& inspection, Scratch& scratch,
               std::pmr::memory_resource& memory, const Trace* trace = nullptr) const;

  const std::string& name() const { return name_; }
  const std::vector<AclRule>& rules() const { return rules_; }
  /// Null when there is none of that name.
  const AclRule* find(std::string_view rule) const;
  std::uint64_t inspected_octets() const { return inspected_octets_; }
  /// Of a response's body; 0: responses are not looked at, for want of a managed group or by its
  /// setting.
  std::uint64_t response_octets() const { return response_octets_; }
  schema::WafOversize response_oversize() const { return response_oversize_; }
  /// Whether a rule asks for countries or autonomous systems.
  bool uses_geo() const { return uses_geo_; }
  const std::shared_ptr<const Challenges>& challenges() const { return challenges_; }
  std::size_t size_bytes() const;

 private:
  friend class AclCompiler;
  friend class Evaluation;

  std::string name_;
  std::uint64_t serial_ = 0;  ///< tells ACLs apart that had the same address
  std::uint64_t inspected_octets_ = 0;
  std::size_t budget_octets_ = 0;
  std::uint64_t response_octets_ = 0;
  schema::WafOversize response_oversize_ = schema::WafOversize::Continue;
  ChainTable chains_;
  std::vector<Condition> conditions_;
  std::vector<Expression> expressions_;
  std::array<FamilyPatterns, kFamilies> patterns_;
  Bots bots_;
  std::vector<AclRule> rules_;
  schema::WafAction default_action_;
  std::shared_ptr<Tally> default_tally_;
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<const Challenges> challenges_;
  bool uses_geo_ = false;
};

}  // namespace headgate::guard::waf
