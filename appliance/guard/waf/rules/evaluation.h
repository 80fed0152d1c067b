// SPDX-License-Identifier: MIT
// One run of an ACL's rules over one request; internal to this folder.
#pragma once

#include "appliance/guard/waf/rules/acl.h"
#include "appliance/guard/waf/rules/scratch.h"

namespace headgate::guard::waf {

class Transaction;

class Evaluation {
 public:
  Evaluation(const Acl& acl, const View& view, Inspection& inspection, Scratch& scratch,
             std::pmr::memory_resource& memory, const Acl::Trace* trace);
  void run();

 private:
  // Rules: evaluation.cc.
  bool is_offline() const { return acl_.shared_ == nullptr || view_.offline; }
  void set_bot_labels();
  Truth matches(const AclRule& rule);
  bool is_over(const AclRule& rule);
  // Managed groups: managed.cc.
  Truth run_managed(const AclRule& rule);
  void note_group(const AclRule& rule, const Transaction& transaction);
  std::string_view persist(const std::string& text);
  bool append_rate_key(const RateRule& rate, const RateRule::Key& key, std::string& out);
  bool append_first_value(Family family, std::string_view name, std::string& out);
  bool append_labels(std::string_view wanted, std::string& out);
  bool decide(const AclRule& rule);
  bool passes_challenge(const AclRule& rule);
  void conclude();
  void note_match(const AclRule& rule);

  // Expressions: evaluation.cc.
  Truth evaluate(const Expression& expression);
  Truth evaluate_all(const Expression& expression);
  Truth evaluate_any(const Expression& expression);
  bool in_sets(const Expression& expression, const base::IpAddress& address) const;
  bool forwarded_in_sets(const Expression& expression);
  bool has_label(std::string_view wanted) const;

  // Conditions: conditions.cc.
  Truth evaluate(std::uint32_t number);
  Truth ask(std::uint32_t number);
  bool test(std::uint32_t number, TextId text);
  bool test_patterns(std::uint32_t number, TextId text);
  bool confirm(const Condition& condition, std::uint32_t text, std::string_view octets);
  bool spend(std::size_t octets);
  void watch_the_clock();
  bool compares(const Condition& condition, std::uint64_t octets) const;
  std::optional<Scratch::Scan> scan(Family family, TextId text, std::uint16_t output);
  TextId text_of(TextId& slot, std::string_view octets);
  template <class F>
  bool any_text(const FieldTarget& target, F test);

  // Explanations: explain.cc.
  void explain(const Expression& expression, std::string& out);
  std::string describe(std::uint32_t number);

  const Acl& acl_;
  const View& view_;
  Inspection& inspection_;
  Scratch& scratch_;
  std::pmr::memory_resource& memory_;
  const Acl::Trace* trace_;
  std::size_t spent_ = 0;
  bool clock_runs_ = false;  ///< for the conditions of this run
  bool exhausted_ = false;   ///< in the rule that is being evaluated
};

/// Whether `text` has `word` with no letter, digit or underscore at its sides.
bool has_word(std::string_view text, std::string_view word);

}  // namespace headgate::guard::waf
