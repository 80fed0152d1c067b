// SPDX-License-Identifier: MIT
// Rules in their order, and the expressions that they ask.
#include "appliance/guard/waf/rules/evaluation.h"

#include <fmt/format.h>

#include <algorithm>

#include "appliance/http/cookie.h"
#include "appliance/http/query.h"

namespace headgate::guard::waf {
namespace {

using schema::WafAction;

bool refuses(const WafAction& action) {
  return action.kind == WafAction::Kind::Block || action.kind == WafAction::Kind::Challenge;
}

void tally(const AclRule& rule, RuleEffect effect) {
  if (rule.tally != nullptr) rule.tally->add(effect);
}

/// Parts of a key cannot run into each other.
void append(std::string& out, std::string_view part) {
  out += fmt::format("{}:", part.size());
  out += part;
}

void append_address(std::string& out, const base::IpAddress& address, int ipv6_prefix) {
  auto octets = address.octets();
  if (address.is_v6())
    for (int bit = ipv6_prefix; bit < 128; ++bit)
      octets[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80 >> (bit % 8)));
  out += address.is_v6() ? '6' : '4';
  out.append(reinterpret_cast<const char*>(octets.data()), octets.size());
}

/// The addresses of a field like X-Forwarded-For, one after the other.
class Addresses {
 public:
  Addresses(http::Fields fields, std::string_view name) : fields_(fields), name_(name) {}
  /// False at the end; no address for a member that is none.
  bool next(std::optional<base::IpAddress>& address) {
    std::string_view member;
    while (!http::next_list_member(rest_, member)) {
      while (at_ < fields_.size() && fields_[at_].name != name_) ++at_;
      if (at_ == fields_.size()) return false;
      rest_ = fields_[at_++].value;
    }
    address = base::IpAddress::parse(member);
    return true;
  }

 private:
  http::Fields fields_;
  std::string_view name_;
  std::string_view rest_;
  std::size_t at_ = 0;
};

std::optional<base::IpAddress> forwarded_address(http::Fields fields, std::string_view name) {
  std::optional<base::IpAddress> address;
  Addresses(fields, name).next(address);
  return address;
}

}  // namespace

Evaluation::Evaluation(const Acl& acl, const View& view, Inspection& inspection, Scratch& scratch,
                       std::pmr::memory_resource& memory, const Acl::Trace* trace)
    : acl_(acl),
      view_(view),
      inspection_(inspection),
      scratch_(scratch),
      memory_(memory),
      trace_(trace) {
  scratch.arena_.clear();
  scratch.texts_.begin(view, scratch.arena_);
  if (scratch.memo_of_ != acl.serial_) {
    scratch.memo_.emplace(acl.chains_, scratch.arena_);
    scratch.memo_of_ = acl.serial_;
  } else {
    scratch.memo_->clear();
  }
  scratch.known_.assign(acl.conditions_.size(), Scratch::Known::NotYet);
  scratch.scans_of_text_.clear();
  scratch.scans_.clear();
  scratch.hits_.clear();
}

void Evaluation::run() {
  if (!acl_.bots_.empty() && !inspection_.has_bot_labels) set_bot_labels();
  for (; inspection_.next_rule < acl_.rules_.size(); ++inspection_.next_rule) {
    const AclRule& rule = acl_.rules_[inspection_.next_rule];
    exhausted_ = false;
    Truth truth = matches(rule);
    if (exhausted_) {
      inspection_.exhausted = true;
      tally(rule, RuleEffect::Exhausted);
      // Whoever makes rules give up does not get past those that refuse.
      truth = refuses(rule.action) ? Truth::Yes : Truth::No;
    }
    if (truth == Truth::Unknown) {
      inspection_.outcome = Inspection::Outcome::NeedsBody;
      return;
    }
    if (truth == Truth::Yes && decide(rule)) return;
  }
  conclude();
}

void Evaluation::set_bot_labels() {
  Verdicts* verdicts = is_offline() ? nullptr : &acl_.shared_->bots();
  acl_.bots_.label(view_, verdicts, scratch_.buffer_, inspection_.labels, trace_);
  inspection_.has_bot_labels = true;
}

Truth Evaluation::matches(const AclRule& rule) {
  const Truth truth = rule.expression < 0
                          ? Truth::Yes
                          : evaluate(acl_.expressions_[static_cast<std::size_t>(rule.expression)]);
  if (truth == Truth::Yes && rule.managed != nullptr) return run_managed(rule);
  if (truth != Truth::Yes || !rule.rate) return truth;
  return is_over(rule) ? Truth::Yes : Truth::No;
}

/// Whether the request comes beyond its rule's limit; it is counted if it does not.
bool Evaluation::is_over(const AclRule& rule) {
  const RateRule& rate = *rule.rate;
  if (is_offline()) {
    if (trace_ != nullptr)
      (*trace_)(fmt::format("rule {}: requests are counted by a running edge only", rule.name));
    return false;
  }
  std::string& key = scratch_.buffer_;
  key.clear();
  key.append(reinterpret_cast<const char*>(&rate.identity), sizeof rate.identity);
  // Who lacks a part of the key is nobody to be counted.
  for (const RateRule::Key& part : rate.keys)
    if (!append_rate_key(rate, part, key)) return false;
  const Duration wait =
      acl_.shared_->rates().take(base::hash128(key), rate.limit, rate.window, view_.now);
  if (wait == Duration::zero()) return false;
  inspection_.retry_after = wait;
  return true;
}

bool Evaluation::append_rate_key(const RateRule& rate, const RateRule::Key& key, std::string& out) {
  using Kind = RateRule::Key::Kind;
  const auto add = [&out](std::string_view text) {
    append(out, text);
    return !text.empty();
  };
  switch (key.kind) {
    case Kind::Ip:
      append_address(out, view_.client, rate.ipv6_prefix);
      return true;
    case Kind::ForwardedIp: {
      // Who sends something else in the field is counted by the connection's.
      const auto address = forwarded_address(view_.fields, key.name);
      append_address(out, address.value_or(view_.client), rate.ipv6_prefix);
      return true;
    }
    case Kind::Header:
      if (key.name == "host") return add(view_.authority);
      return std::any_of(view_.fields.begin(), view_.fields.end(), [&](const http::Field& field) {
        return field.name == key.name && !field.value.empty() && add(field.value);
      });
    case Kind::Cookie:
      return append_first_value(Family::Cookies, key.name, out);
    case Kind::Arg:
      return append_first_value(Family::Args, key.name, out);
    case Kind::Path:
      return add(view_.path);
    case Kind::Method:
      return add(view_.method);
    case Kind::Country:
      return add(view_.country.text());
    case Kind::Asn:
      return add(view_.asn == 0 ? std::string() : fmt::format("{}", view_.asn));
    case Kind::Ja3:
      return add(view_.ja3);
    case Kind::Ja4:
      return add(view_.ja4);
    case Kind::Label:
      return append_labels(key.name, out);
  }
  return false;
}

/// An empty value is passed over: `?a=&a=1` has one.
bool Evaluation::append_first_value(Family family, std::string_view name, std::string& out) {
  for (const Entry& entry : scratch_.texts_.of(family)) {
    if (entry.name != name || entry.value.empty()) continue;
    append(out, entry.value);
    return true;
  }
  return false;
}

bool Evaluation::append_labels(std::string_view wanted, std::string& out) {
  bool any = false;
  for (const std::string_view label : inspection_.labels) {
    if (wanted.ends_with(':') ? !label.starts_with(wanted) : label != wanted) continue;
    append(out, label);
    any = true;
  }
  return any;
}

/// What the rule, which matches, does. True when that ends the matter.
bool Evaluation::decide(const AclRule& rule) {
  for (const std::string& label : rule.labels) inspection_.labels.push_back(label);
  inspection_.matched.push_back(rule.name);
  if (trace_ != nullptr) note_match(rule);
  const auto end = [&](Inspection::Outcome outcome, RuleEffect effect) {
    inspection_.outcome = outcome;
    inspection_.rule = &rule;
    inspection_.action = &rule.action;
    tally(rule, effect);
    return true;
  };
  switch (rule.action.kind) {
    case WafAction::Kind::Count:
    case WafAction::Kind::Allow:
      for (const auto& [name, value] : rule.action.headers)
        inspection_.inserted.push_back({name, value});
      if (rule.action.kind == WafAction::Kind::Allow)
        return end(Inspection::Outcome::Allow, RuleEffect::Allow);
      tally(rule, RuleEffect::Count);
      return false;
    case WafAction::Kind::Block:
      return end(Inspection::Outcome::Block, RuleEffect::Block);
    case WafAction::Kind::Challenge:
      if (!passes_challenge(rule))
        return end(Inspection::Outcome::Challenge, RuleEffect::Challenge);
      tally(rule, RuleEffect::Passed);
      return false;
  }
  return false;
}

bool Evaluation::passes_challenge(const AclRule& rule) {
  if (acl_.challenges_ == nullptr) return false;
  const ChallengeSubject subject = {view_.host, view_.client, view_.full_ja4};
  for (const Entry& entry : scratch_.texts_.of(Family::Cookies))
    if (entry.name == kChallengeCookie &&
        acl_.challenges_->accepts(entry.value, subject, rule.action.bits, view_.wall_now))
      return true;
  const std::string challenge =
      acl_.challenges_->issue(subject, rule.action.bits, view_.wall_now + rule.action.immunity);
  auto* text = static_cast<char*>(memory_.allocate(challenge.size(), 1));
  challenge.copy(text, challenge.size());
  inspection_.challenge = {text, challenge.size()};
  return false;
}

void Evaluation::conclude() {
  const bool blocks = acl_.default_action_.kind == WafAction::Kind::Block;
  inspection_.outcome = blocks ? Inspection::Outcome::Block : Inspection::Outcome::Allow;
  inspection_.action = &acl_.default_action_;
  if (!blocks)
    for (const auto& [name, value] : acl_.default_action_.headers)
      inspection_.inserted.push_back({name, value});
  if (acl_.default_tally_ != nullptr)
    acl_.default_tally_->add(blocks ? RuleEffect::Block : RuleEffect::Allow);
}

Truth Evaluation::evaluate(const Expression& expression) {
  using Kind = Expression::Kind;
  const auto truth = [](bool yes) { return yes ? Truth::Yes : Truth::No; };
  switch (expression.kind) {
    case Kind::All:
      return evaluate_all(expression);
    case Kind::Any:
      return evaluate_any(expression);
    case Kind::Not: {
      const Truth operand = evaluate(acl_.expressions_[expression.first]);
      return operand == Truth::Unknown ? operand : truth(operand == Truth::No);
    }
    case Kind::Condition:
      return evaluate(expression.first);
    case Kind::Ip:
      return truth(in_sets(expression, view_.client));
    case Kind::ForwardedIp:
      return truth(forwarded_in_sets(expression));
    case Kind::Geo:
      return truth(view_.country.known() && expression.countries.allows(view_.country));
    case Kind::Asn:
      return truth(view_.asn != 0 &&
                   std::binary_search(expression.asns.begin(), expression.asns.end(), view_.asn));
    case Kind::Label:
      return truth(has_label(expression.label));
  }
  return Truth::No;
}

/// What is not known yet does not matter beside what does not hold.
Truth Evaluation::evaluate_all(const Expression& expression) {
  Truth all = Truth::Yes;
  for (std::uint32_t i = 0; i < expression.count; ++i) {
    const Truth one = evaluate(acl_.expressions_[expression.first + i]);
    if (one == Truth::No) return one;
    if (one == Truth::Unknown) all = one;
  }
  return all;
}

Truth Evaluation::evaluate_any(const Expression& expression) {
  Truth any = Truth::No;
  for (std::uint32_t i = 0; i < expression.count; ++i) {
    const Truth one = evaluate(acl_.expressions_[expression.first + i]);
    if (one == Truth::Yes) return one;
    if (one == Truth::Unknown) any = one;
  }
  return any;
}

bool Evaluation::in_sets(const Expression& expression, const base::IpAddress& address) const {
  return std::any_of(expression.sets.begin(), expression.sets.end(),
                     [&](const auto& set) { return set->contains(address); });
}

bool Evaluation::forwarded_in_sets(const Expression& expression) {
  using Position = schema::WafForwardedIp::Position;
  const ForwardedAddress& forwarded = expression.forwarded;
  std::optional<base::IpAddress> address;
  bool any_address = false;
  bool last_is_in = false;
  for (Addresses addresses(view_.fields, forwarded.header); addresses.next(address);) {
    const bool is_in = address && in_sets(expression, *address);
    if (forwarded.position == Position::First && address) return is_in;
    if (forwarded.position == Position::Any && is_in) return true;
    any_address = any_address || address;
    if (address) last_is_in = is_in;
  }
  if (!any_address) return forwarded.fallback == schema::WafFallback::Match;
  return forwarded.position == Position::Last && last_is_in;
}

bool Evaluation::has_label(std::string_view wanted) const {
  return std::any_of(inspection_.labels.begin(), inspection_.labels.end(),
                     [&](std::string_view label) {
                       return wanted.ends_with(':') ? label.starts_with(wanted) : label == wanted;
                     });
}

void Acl::inspect(const View& view, Inspection& inspection, Scratch& scratch,
                  std::pmr::memory_resource& memory, const Trace* trace) const {
  Evaluation(*this, view, inspection, scratch, memory, trace).run();
}

}  // namespace headgate::guard::waf
