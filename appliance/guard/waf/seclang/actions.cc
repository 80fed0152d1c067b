// SPDX-License-Identifier: MIT
// Reads actions.
#include "appliance/guard/waf/seclang/actions.h"

#include <array>
#include <charconv>

#include "appliance/guard/waf/seclang/macro.h"
#include "appliance/guard/waf/seclang/targets.h"
#include "appliance/guard/waf/seclang/words.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {
namespace {

constexpr std::array<std::string_view, 8> kSeverities = {
    "EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"};
// Say nothing that we act on: who wrote a rule, how sure he is, what ModSecurity's audit log holds.
constexpr std::array<std::string_view, 6> kRemarks = {"ver",      "rev",        "maturity",
                                                      "accuracy", "noauditlog", "auditlog"};

Status parse_number(std::string_view text, int low, int high, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < low || number > high)
    return fail(Blame::Config, "'{}' is not a number from {} to {}", text, low, high);
  return {};
}

Status parse_phase(std::string_view text, int& phase) {
  constexpr std::pair<std::string_view, int> kPhases[] = {
      {"request", 2}, {"response", 4}, {"logging", 5}};
  for (const auto& [name, number] : kPhases) {
    if (text == name) {
      phase = number;
      return {};
    }
  }
  return parse_number(text, 1, 5, phase);
}

Status parse_severity(std::string_view text, int& severity) {
  for (std::size_t i = 0; i < kSeverities.size(); ++i) {
    if (http::equals_ignoring_case(text, kSeverities[i])) {
      severity = static_cast<int>(i);
      return {};
    }
  }
  return parse_number(text, 0, 7, severity);
}

// "tx.name" to its two parts.
Status parse_variable(std::string_view text, Collection& collection, std::string_view& name) {
  const std::size_t dot = text.find('.');
  const auto found = find_collection(text.substr(0, dot));
  const bool writable = found && (*found == Collection::Tx || *found == Collection::Ip ||
                                  *found == Collection::Global);
  if (!writable || dot == std::string_view::npos)
    return fail(Blame::Config, "'{}' cannot be set; only tx.NAME, ip.NAME and global.NAME can",
                text);
  collection = *found;
  name = text.substr(dot + 1);
  return {};
}

Result<SetVariable> parse_setvar(std::string_view text) {
  SetVariable set;
  const std::size_t equals = text.find('=');
  if (text.starts_with('!')) {
    set.how = SetVariable::How::Unset;
    text.remove_prefix(1);
  }
  std::string_view name;
  HG_CHECK(parse_variable(trimmed(text.substr(0, equals)), set.collection, name), "setvar");
  HG_TRY(set.name, parse_macro(name), "setvar");
  if (set.how == SetVariable::How::Unset) return set;
  // "setvar:tx.name" alone means 1.
  std::string_view value = equals == std::string_view::npos ? "1" : text.substr(equals + 1);
  if (value.starts_with('+') || value.starts_with('-')) {
    set.how = value.front() == '+' ? SetVariable::How::Add : SetVariable::How::Subtract;
    value.remove_prefix(1);
  }
  HG_TRY(set.value, parse_macro(value), "setvar");
  return set;
}

Result<ExpireVariable> parse_expirevar(std::string_view text) {
  ExpireVariable expire;
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    return fail(Blame::Config, "expirevar:{} has no time; write expirevar:ip.NAME=SECONDS", text);
  std::string_view name;
  HG_CHECK(parse_variable(text.substr(0, equals), expire.collection, name), "expirevar");
  if (expire.collection == Collection::Tx)
    return fail(Blame::Config, "expirevar:{}: tx lives no longer than its request", text);
  for (const char c : name) expire.name += http::to_lower(c);
  HG_TRY(expire.seconds, parse_macro(text.substr(equals + 1)), "expirevar");
  return expire;
}

Result<InitCollection> parse_initcol(std::string_view text) {
  InitCollection init;
  const std::size_t equals = text.find('=');
  const auto found = find_collection(text.substr(0, equals));
  if (equals == std::string_view::npos || !found ||
      (*found != Collection::Ip && *found != Collection::Global))
    return fail(Blame::Config,
                "initcol:{} is not supported; only initcol:ip=KEY and "
                "initcol:global=KEY are",
                text);
  init.collection = *found;
  HG_TRY(init.key, parse_macro(text.substr(equals + 1)), "initcol");
  return init;
}

// "ID;TARGET" or "TAG;TARGET" of the controls that remove targets.
Status parse_removed_target(std::string_view value, bool by_tag, Control& control) {
  const std::size_t semicolon = value.find(';');
  if (semicolon == std::string_view::npos)
    return fail(Blame::Config, "'{}' names no target; write ID;ARGS:name", value);
  if (by_tag) {
    control.tag = value.substr(0, semicolon);
  } else {
    HG_CHECK(parse_id_range(value.substr(0, semicolon), control.first_id, control.last_id), "ctl");
  }
  HG_TRY(control.target, parse_target(value.substr(semicolon + 1)), "ctl");
  return {};
}

Status parse_rule_engine(std::string_view value, Control& control) {
  if (http::equals_ignoring_case(value, "Off")) {
    control.kind = Control::Kind::RuleEngineOff;
  } else if (http::equals_ignoring_case(value, "DetectionOnly")) {
    control.kind = Control::Kind::RuleEngineDetectionOnly;
  } else if (http::equals_ignoring_case(value, "On")) {
    control.kind = Control::Kind::RuleEngineOn;
  } else {
    return fail(Blame::Config, "ctl:ruleEngine={}: write On, Off or DetectionOnly", value);
  }
  return {};
}

Status parse_ctl(std::string_view text, Rule& rule) {
  const std::size_t equals = text.find('=');
  const std::string_view name = trimmed(text.substr(0, equals));
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : trimmed(text.substr(equals + 1));
  const auto is = [&](std::string_view known) { return http::equals_ignoring_case(name, known); };
  Control control;
  if (is("auditEngine") || is("auditLogParts")) return {};  // we have no audit log
  if (is("ruleEngine")) {
    HG_CHECK(parse_rule_engine(value, control), "ctl");
  } else if (is("ruleRemoveById")) {
    HG_CHECK(parse_id_range(value, control.first_id, control.last_id), "ctl:ruleRemoveById");
  } else if (is("ruleRemoveByTag")) {
    control.kind = Control::Kind::RemoveByTag;
    control.tag = value;
  } else if (is("ruleRemoveTargetById")) {
    control.kind = Control::Kind::RemoveTargetById;
    HG_CHECK(parse_removed_target(value, false, control), "ctl:ruleRemoveTargetById");
  } else if (is("ruleRemoveTargetByTag")) {
    control.kind = Control::Kind::RemoveTargetByTag;
    HG_CHECK(parse_removed_target(value, true, control), "ctl:ruleRemoveTargetByTag");
  } else if (is("requestBodyProcessor")) {
    control.kind = Control::Kind::RequestBodyProcessor;
    for (const char c : value)
      control.processor += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    if (control.processor != "URLENCODED" && control.processor != "JSON" &&
        control.processor != "XML" && control.processor != "MULTIPART")
      return fail(Blame::Config,
                  "ctl:requestBodyProcessor={}: write URLENCODED, MULTIPART, JSON or "
                  "XML",
                  value);
  } else if (is("forceRequestBodyVariable")) {
    control.kind = Control::Kind::ForceRequestBodyVariable;
    control.on = http::equals_ignoring_case(value, "On");
  } else {
    return fail(Blame::Config, "ctl:{} is not supported; take it out of the rule", name);
  }
  rule.effects.emplace_back(std::move(control));
  return {};
}

Status parse_transformation(std::string_view name, Rule& rule) {
  if (http::equals_ignoring_case(name, "none")) {
    rule.transformations.clear();
    return {};
  }
  const auto transformation = find_transformation(name);
  if (!transformation)
    return fail(Blame::Config, "t:{} is none of the transformations that are supported", name);
  rule.transformations.push_back(*transformation);
  return {};
}

bool parse_flag(std::string_view name, Rule& rule) {
  constexpr std::pair<std::string_view, Disruption> kDisruptions[] = {{"pass", Disruption::Pass},
                                                                      {"block", Disruption::Block},
                                                                      {"deny", Disruption::Deny},
                                                                      {"drop", Disruption::Drop}};
  for (const auto& [known, disruption] : kDisruptions) {
    if (http::equals_ignoring_case(name, known)) {
      rule.disruption = disruption;
      return true;
    }
  }
  const auto is = [&](std::string_view known) { return http::equals_ignoring_case(name, known); };
  if (is("log") || is("nolog")) {
    rule.log = is("log");
  } else if (is("capture")) {
    rule.capture = true;
  } else if (is("multiMatch")) {
    rule.multi_match = true;
  } else if (is("chain")) {
    rule.chained = true;
  } else {
    return false;
  }
  return true;
}

Status parse_action(const Action& action, Rule& rule) {
  const auto is = [&](std::string_view known) {
    return http::equals_ignoring_case(action.name, known);
  };
  const std::string& value = action.value;
  if (is("id")) return parse_number(value, 1, 1'000'000'000, rule.id);
  if (is("phase")) return parse_phase(value, rule.phase);
  if (is("t")) return parse_transformation(value, rule);
  if (is("status")) return parse_number(value, 100, 599, rule.status);
  if (is("severity")) return parse_severity(value, rule.severity);
  if (is("ctl")) return parse_ctl(value, rule);
  if (is("msg")) {
    HG_TRY(rule.message, parse_macro(value), "msg");
  } else if (is("logdata")) {
    HG_TRY(rule.logdata, parse_macro(value), "logdata");
  } else if (is("tag")) {
    rule.tags.push_back(value);
  } else if (is("skipAfter")) {
    rule.skip_after = value;
  } else if (is("setvar")) {
    HG_TRY(SetVariable set, parse_setvar(value), "action");
    rule.effects.emplace_back(std::move(set));
  } else if (is("expirevar")) {
    HG_TRY(ExpireVariable expire, parse_expirevar(value), "action");
    rule.effects.emplace_back(std::move(expire));
  } else if (is("initcol")) {
    HG_TRY(InitCollection init, parse_initcol(value), "action");
    rule.effects.emplace_back(std::move(init));
  } else if (!parse_flag(action.name, rule)) {
    for (const std::string_view remark : kRemarks) {
      if (is(remark)) return {};
    }
    return fail(Blame::Config, "the action '{}' is not supported; take it out of the rule",
                action.name);
  }
  return {};
}

}  // namespace

Status parse_id_range(std::string_view text, int& first, int& last) {
  const std::size_t dash = text.find('-');
  HG_CHECK(parse_number(trimmed(text.substr(0, dash)), 1, 1'000'000'000, first), "rule id");
  last = first;
  if (dash != std::string_view::npos)
    HG_CHECK(parse_number(trimmed(text.substr(dash + 1)), first, 1'000'000'000, last), "rule id");
  return {};
}

Status parse_actions(std::string_view text, Rule& rule) {
  HG_TRY(const std::vector<Action> actions, split_actions(text), "actions");
  for (const Action& action : actions) HG_CHECK(parse_action(action, rule), "actions");
  return {};
}

}  // namespace headgate::guard::waf
