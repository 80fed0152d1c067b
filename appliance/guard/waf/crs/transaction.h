// SPDX-License-Identifier: MIT
// One request on its way through a rule set, phase by phase.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/guard/waf/body/content.h"
#include "appliance/guard/waf/crs/rule_set.h"
#include "appliance/guard/waf/crs/store.h"
#include "appliance/guard/waf/crs/values.h"
#include "appliance/guard/waf/request.h"

namespace headgate::guard::waf {

/// What comes from outside of the request.
struct Environment {
  Workspace& workspace;
  CollectionStore* store = nullptr;  ///< null: IP and GLOBAL live as long as the request
  /// ISO 3166 code of an address's country, empty where unknown; may be empty itself.
  std::function<std::string(const base::IpAddress&)> country;
  std::string_view unique_id;
  base::MonoTime now{};  ///< when the request began
  /// The path that exclusions are compared with: the one that routing goes by.
  std::string_view canonical_path;
};

/// What a phase decided.
struct Decision {
  enum class What : std::uint8_t {
    Continue,
    Deny,       ///< answer with `status`
    Drop,       ///< close the connection
    Exhausted,  ///< the budget of options() is used up: not everything was looked at
  };
  What what = What::Continue;
  int status = 0;
  int rule_id = 0;  ///< of Deny and Drop
};

/// A rule that matched, all links of its chain.
struct Match {
  const Rule* rule = nullptr;  ///< of the rule set
  bool logged = true;          ///< false: a rule that only sets variables
  bool counted_only = false;   ///< by an override
  std::string variable;        ///< "ARGS:q"
  std::string value;           ///< after the transformations; cut and escaped
  std::string message;
  std::string logdata;
};

/// Feed it the phases in order; after a Deny or Drop go to log(). Views in the request and the
/// response must outlive it, the rule set too.
/// Threads: one.
class Transaction {
 public:
  Transaction(const RuleSet& rules, const Environment& environment, const Request& request);

  Decision request_headers();                                ///< phase 1
  Decision request_body(std::string_view body, bool whole);  ///< phase 2; also without a body
  Decision response_headers(const Response& response);       ///< phase 3
  Decision response_body(std::string_view body);             ///< phase 4
  void log();                                                ///< phase 5

  /// Rules that matched, in order, at most kMostMatches; each rule once.
  const std::vector<Match>& matches() const { return matches_; }
  /// A number in TX, 0 if it is not set: "anomaly_score", "outbound_anomaly_score".
  std::int64_t score(std::string_view name) const;
  bool exhausted() const { return exhausted_; }
  /// Octets looked at.
  std::size_t work() const { return work_ + memo_.written(); }

 private:
  static constexpr std::size_t kMostMatches = 200;
  static constexpr std::size_t kLongestExcerpt = 200;
  static constexpr std::size_t kLongestMacro = 8192;

  enum class Engine : std::uint8_t { On, DetectionOnly, Off };
  struct Variable {  ///< a value on its way through a link
    Collection collection;
    std::string_view name;
    bool count = false;
  };
  struct Matched {
    std::string name;
    std::string value;
  };
  struct RemovedTarget {
    const Selector* target;
    const std::vector<RuleIndex>* rules;
  };

  // transaction.cc
  Decision run(int phase);
  void scan(int phase);
  void choose_processor();
  void apply_exclusions();
  void parse_body(std::string_view body, bool whole);
  void remember(const Head& head, const Link& first);
  bool within_budget();

  // evaluate.cc
  bool evaluate_rule(RuleIndex index, const Head& head);
  bool evaluate_link(const Link& link, bool effects);
  void evaluate_target(const Link& link, std::size_t target, bool effects);
  void evaluate_text(const Link& link, const Variable& variable, TextId text, const PrescanHit* hit,
                     bool effects);
  bool look_near(const Link& link, std::string_view octets, const PrescanHit& hit,
                 Captures& captures);
  void evaluate_octets(const Link& link, const Variable& variable, std::string_view octets,
                       bool effects);
  void evaluate_tx(const Link& link, const Selector& selector, bool effects);
  bool look(const Link& link, std::string_view octets, Captures& captures);
  bool look_unnegated(const Link& link, std::string_view octets, Captures& captures);
  bool locate(std::string_view address);
  bool excluded(const Link& link, const Variable& variable);
  std::size_t count(const Link& link, const Selector& selector);
  void on_match(const Link& link, const Variable& variable, std::string_view octets,
                const Captures& captures, bool effects);

  // effects.cc
  void run_effects(const Link& link);
  void run_set(const CompiledSet& set);
  void run_controls(const Link& link);
  std::string expand(const Template& text);
  std::string_view expand_view(const Template& text, std::string& buffer);
  void append(const Template::Piece& piece, std::string& out);
  std::optional<std::string> stored(Collection collection, std::string_view name);
  void store(Collection collection, std::string_view name, std::string_view value);
  std::string& store_key(Collection collection);

  const RuleSet& rules_;
  const Environment environment_;
  const Request request_;
  Arena arena_;
  Memo memo_;
  Values values_;
  Tx tx_;
  PrescanHits hits_;
  std::size_t scanned_[static_cast<std::size_t>(Collection::kCount)] = {};

  Engine engine_ = Engine::On;
  std::string processor_;
  bool force_body_ = false;
  std::string content_type_;

  std::vector<bool> removed_;  ///< by RuleIndex; empty: none
  std::vector<RemovedTarget> removed_targets_;
  RuleIndex current_ = 0;
  const Head* head_ = nullptr;

  std::vector<Matched> matched_;      ///< of the link before: MATCHED_VARS
  std::vector<Matched> matched_now_;  ///< of this one
  std::string matched_name_;
  std::string matched_value_;
  bool link_matched_ = false;
  std::string argument_;
  std::string_view argument_view_;
  std::string buffer_;

  std::vector<Match> matches_;
  Decision decision_;
  std::string ip_key_;
  std::string global_key_;
  std::unordered_map<std::string, std::string> local_;  ///< IP and GLOBAL without a store
  std::string country_;
  std::size_t work_ = 0;
  std::size_t body_octets_ = 0;
  std::size_t work_checked_ = 0;
  bool exhausted_ = false;
};

}  // namespace headgate::guard::waf
