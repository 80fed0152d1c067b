// SPDX-License-Identifier: MIT
// How a rule looks at its targets.
#include <algorithm>

#include "appliance/guard/waf/crs/number.h"
#include "appliance/guard/waf/crs/transaction.h"
#include "appliance/guard/waf/match/injection.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {
namespace {

bool compare(OperatorKind kind, std::int64_t left, std::int64_t right) {
  switch (kind) {
    case OperatorKind::Eq:
      return left == right;
    case OperatorKind::Ne:
      return left != right;
    case OperatorKind::Lt:
      return left < right;
    case OperatorKind::Le:
      return left <= right;
    case OperatorKind::Gt:
      return left > right;
    default:
      return left >= right;
  }
}

}  // namespace

bool Transaction::evaluate_rule(RuleIndex index, const Head& head) {
  current_ = index;
  head_ = &head;
  const bool effects = !head.count_only;
  matched_.clear();
  std::uint32_t at = head.link;
  while (true) {
    const Link& link = rules_.links_[at];
    if (!evaluate_link(link, effects)) return false;
    if (!link.next) break;
    at = *link.next;
  }
  const Link& first = rules_.links_[head.link];
  remember(head, first);
  if (!effects) return false;  // skipAfter and the like are effects, too
  for (at = head.link;; at = *rules_.links_[at].next) {
    run_controls(rules_.links_[at]);
    if (!rules_.links_[at].next) break;
  }
  if (engine_ == Engine::On && head.disruption != Disruption::Pass) {
    const bool drop = head.disruption == Disruption::Drop;
    decision_ = {drop ? Decision::What::Drop : Decision::What::Deny, head.status, first.rule.id};
  }
  return true;
}

bool Transaction::evaluate_link(const Link& link, bool effects) {
  link_matched_ = false;
  matched_now_.clear();
  if (link.rule.targets.empty()) {
    on_match(link, {Collection::MatchedVar, {}}, {}, Captures(), effects);
    return true;
  }
  if (link.prescan) {
    if (link.all_prescanned && !hits_.any(*link.prescan)) return false;
    hits_.mark(*link.prescan);
  }
  argument_view_ = expand_view(link.argument, argument_);
  for (std::size_t i = 0; i < link.targets.size(); ++i) evaluate_target(link, i, effects);
  if (link_matched_) matched_.swap(matched_now_);
  return link_matched_;
}

void Transaction::evaluate_target(const Link& link, std::size_t target, bool effects) {
  const Selector& selector = link.targets[target];
  const Collection collection = selector.collection;
  if (link.counts[target]) {
    const std::string digits = std::to_string(count(link, selector));
    return evaluate_octets(link, {collection, selector.name, true}, digits, effects);
  }
  switch (collection) {
    case Collection::Tx:
      return evaluate_tx(link, selector, effects);
    case Collection::Ip:
    case Collection::Global:
      if (const auto value = stored(collection, selector.name))
        evaluate_octets(link, {collection, selector.name}, *value, effects);
      return;
    case Collection::Geo:
      if (selector.name == "country_code" && !country_.empty())
        evaluate_octets(link, {collection, selector.name}, country_, effects);
      return;
    case Collection::MatchedVar:
      return evaluate_octets(link, {collection, {}}, std::string(matched_value_), effects);
    case Collection::MatchedVarName:
      return evaluate_octets(link, {collection, {}}, std::string(matched_name_), effects);
    case Collection::MatchedVars:
    case Collection::MatchedVarsNames:
      for (const Matched& matched : matched_) {
        if (!selector.selects(matched.name, environment_.workspace)) continue;
        const bool names = collection == Collection::MatchedVarsNames;
        evaluate_octets(link, {collection, matched.name}, names ? matched.name : matched.value,
                        effects);
      }
      return;
    case Collection::Duration: {
      const auto elapsed = base::mono_now() - environment_.now;
      const auto milliseconds =
          std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count();
      return evaluate_octets(link, {collection, {}}, std::to_string(milliseconds), effects);
    }
    default:
      break;
  }
  // By index: effects may not add values, but they move no ground from under us that way.
  const std::vector<Value>& values = values_.of(collection);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Value& value = values[i];
    const PrescanHit* const hit = link.prescanned[target] ? hits_.marked(value.text) : nullptr;
    if (link.prescanned[target] && hit == nullptr) continue;
    if (!selector.selects(value.name, environment_.workspace)) continue;
    const Variable variable{collection, value.name};
    if (excluded(link, variable)) continue;
    evaluate_text(link, variable, value.text, hit, effects);
  }
}

void Transaction::evaluate_tx(const Link& link, const Selector& selector, bool effects) {
  const auto slot_value = [&](TxSlot slot) {
    const std::string_view* const value = tx_.get(slot);
    if (value == nullptr) return;
    const Variable variable{Collection::Tx, rules_.tx_names_.name(slot)};
    if (!excluded(link, variable)) evaluate_octets(link, variable, *value, effects);
  };
  if (selector.slot) return slot_value(*selector.slot);
  // Effects may change TX meanwhile: what is looked at is TX as it was.
  for (const TxSlot slot : selector.slots) slot_value(slot);
  std::vector<std::pair<std::string_view, std::string_view>> others;
  const auto collect = [&](std::string_view name, std::string_view value) {
    if (selector.selects(name, environment_.workspace)) others.emplace_back(name, value);
  };
  if (selector.select == Target::Select::All) {
    tx_.each(collect);
  } else {
    tx_.each_other(collect);
  }
  for (const auto& [name, value] : others) {
    const Variable variable{Collection::Tx, name};
    if (!excluded(link, variable)) evaluate_octets(link, variable, value, effects);
  }
}

std::size_t Transaction::count(const Link& link, const Selector& selector) {
  std::size_t found = 0;
  switch (selector.collection) {
    case Collection::Tx: {
      if (selector.slot) return tx_.get(*selector.slot) == nullptr ? 0 : 1;
      tx_.each([&](std::string_view name, std::string_view) {
        if (selector.selects(name, environment_.workspace)) ++found;
      });
      return found;
    }
    case Collection::Ip:
    case Collection::Global:
      return stored(selector.collection, selector.name) ? 1 : 0;
    case Collection::Geo:
      return country_.empty() ? 0 : 1;
    case Collection::MatchedVars:
    case Collection::MatchedVarsNames:
      return matched_.size();
    default:
      for (const Value& value : values_.of(selector.collection)) {
        if (selector.selects(value.name, environment_.workspace) &&
            !excluded(link, {selector.collection, value.name}))
          ++found;
      }
      return found;
  }
}

bool Transaction::excluded(const Link& link, const Variable& variable) {
  const auto names = [&](const Selector& selector) {
    return selector.collection == variable.collection &&
           selector.selects(variable.name, environment_.workspace);
  };
  if (std::any_of(link.exclusions.begin(), link.exclusions.end(), names)) return true;
  for (const RemovedTarget& removed : removed_targets_) {
    if (names(*removed.target) &&
        std::binary_search(removed.rules->begin(), removed.rules->end(), current_))
      return true;
  }
  return false;
}

// A text of the memo, after the link's chains; with several (multiMatch) after each that changes
// something.
void Transaction::evaluate_text(const Link& link, const Variable& variable, TextId text,
                                const PrescanHit* hit, bool effects) {
  std::optional<std::uint16_t> before;
  for (const ChainId chain : link.chains) {
    const std::uint16_t output = memo_.output(text, chain);
    if (output == before) continue;
    before = output;
    const std::string_view octets = memo_.output_text(text, output);
    Captures captures;
    const bool here = hit != nullptr && hit->output == output;
    const bool found =
        here && link.regex ? look_near(link, octets, *hit, captures) : look(link, octets, captures);
    if (found) on_match(link, variable, octets, captures, effects);
  }
}

// Where Hyperscan has found a regex: in a long text it is only looked for around there, since
// a search from the beginning may take its time to get so far.
bool Transaction::look_near(const Link& link, std::string_view octets, const PrescanHit& hit,
                            Captures& captures) {
  constexpr std::size_t kLong = 2048;
  Workspace& workspace = environment_.workspace;
  if (octets.size() <= kLong) {
    work_ += octets.size();
    const Found found = link.regex->search(octets, workspace, &captures);
    if (found == Found::Exhausted && !hit.exact) exhausted_ = true;
    if (found == Found::Yes || !hit.exact) return found == Found::Yes;
  } else {
    work_ += kLong;
    if (link.regex->search_near(octets, hit.end, workspace, &captures) == Found::Yes) return true;
    if (!hit.exact) return look(link, octets, captures);
  }
  // It does match; where it begins is not known.
  captures = Captures();
  captures.groups[0] = octets.substr(0, hit.end);
  captures.groups[0].remove_prefix(hit.end > kLong ? hit.end - kLong : 0);
  captures.count = 1;
  return true;
}

// A text that is not in the memo: short ones, such as TX's.
void Transaction::evaluate_octets(const Link& link, const Variable& variable,
                                  std::string_view octets, bool effects) {
  const auto evaluate = [&](std::string_view text) {
    Captures captures;
    if (look(link, text, captures)) on_match(link, variable, text, captures, effects);
  };
  const std::vector<Transformation>& steps = link.rule.transformations;
  if (steps.empty()) return evaluate(octets);
  std::string text(octets);
  std::string out;
  if (link.rule.multi_match) evaluate(text);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool changed = apply(steps[i], text, out);
    if (changed) text.swap(out);
    const bool last = i + 1 == steps.size();
    if (link.rule.multi_match ? changed : last) evaluate(text);
  }
}

bool Transaction::look(const Link& link, std::string_view octets, Captures& captures) {
  work_ += octets.size();
  return look_unnegated(link, octets, captures) != link.rule.op.negated;
}

bool Transaction::look_unnegated(const Link& link, std::string_view octets, Captures& captures) {
  switch (link.rule.op.kind) {
    case OperatorKind::Unconditional:
      return true;
    case OperatorKind::NoMatch:
    case OperatorKind::Rbl:
      return false;
    case OperatorKind::Rx: {
      Workspace& workspace = environment_.workspace;
      const Regex* const regex = link.regex ? &*link.regex : workspace.find_regex(argument_view_);
      if (regex == nullptr) return false;  // what was filled in makes no regex
      const Found found = regex->search(octets, workspace, &captures);
      if (found == Found::Exhausted) exhausted_ = true;
      return found == Found::Yes;
    }
    case OperatorKind::Pm:
    case OperatorKind::PmFromFile:
      captures.groups[0] = link.phrases->find(octets);
      captures.count = captures.groups[0].empty() ? 0 : 1;
      return captures.count == 1;
    case OperatorKind::Contains:
      return octets.find(argument_view_) != std::string_view::npos;
    case OperatorKind::Within:
      return argument_view_.find(octets) != std::string_view::npos;
    case OperatorKind::StrEq:
      return octets == argument_view_;
    case OperatorKind::BeginsWith:
      return octets.starts_with(argument_view_);
    case OperatorKind::EndsWith:
      return octets.ends_with(argument_view_);
    case OperatorKind::Eq:
    case OperatorKind::Ne:
    case OperatorKind::Lt:
    case OperatorKind::Le:
    case OperatorKind::Gt:
    case OperatorKind::Ge:
      return compare(link.rule.op.kind, number(octets), number(argument_view_));
    case OperatorKind::IpMatch: {
      const auto address = base::IpAddress::parse(octets);
      return address && link.addresses.contains(*address);
    }
    case OperatorKind::DetectSqli: {
      SqliFingerprint fingerprint;
      if (!is_sql_injection(octets, &fingerprint)) return false;
      captures.groups[0] = arena_.persist(fingerprint.text());
      captures.count = 1;
      return true;
    }
    case OperatorKind::DetectXss:
      captures.groups[0] = octets;
      captures.count = 1;
      return is_cross_site_scripting(octets);
    case OperatorKind::ValidateByteRange:
      return link.octets.first_outside(octets) != std::string_view::npos;
    case OperatorKind::ValidateUrlEncoding:
      return !valid_url_encoding(octets);
    case OperatorKind::ValidateUtf8Encoding:
      return !valid_utf8(octets);
    case OperatorKind::GeoLookup:
      return locate(octets);
  }
  return false;
}

bool Transaction::locate(std::string_view octets) {
  const auto address = base::IpAddress::parse(octets);
  if (!address || !environment_.country) return false;
  country_ = environment_.country(*address);
  return !country_.empty();
}

void Transaction::on_match(const Link& link, const Variable& variable, std::string_view octets,
                           const Captures& captures, bool effects) {
  link_matched_ = true;
  if (!link.rule.targets.empty()) {
    matched_name_ = variable.count ? "&" : "";
    matched_name_ += seclang_name(variable.collection);
    if (by_name(variable.collection) && !variable.name.empty()) {
      matched_name_ += ':';
      matched_name_ += variable.name;
    }
    matched_value_ = octets;
    matched_now_.push_back({matched_name_, matched_value_});
  }
  if (!effects) return;
  if (link.rule.capture && !link.rule.op.negated) {
    for (std::size_t i = 0; i < captures.groups.size(); ++i) {
      const auto slot = static_cast<TxSlot>(i);
      if (i < captures.count) {
        tx_.set(slot, arena_.persist(captures.groups[i]));
      } else {
        tx_.unset(slot);
      }
    }
  }
  run_effects(link);
}

}  // namespace headgate::guard::waf
