// SPDX-License-Identifier: MIT
// What a rule found where, in words. Nothing of this runs on a request's way.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "appliance/guard/waf/rules/evaluation.h"
#include "schema/fields/web_acl/choices.h"
#include "schema/text.h"

namespace headgate::guard::waf {
namespace {

using schema::WafMatcher;

constexpr std::array<const char*, kFamilies> kFamilyNames = {
    "method",       "path",   "uri",  "query",      "fragment", "arg", "header",
    "header order", "cookie", "body", "form field", "JSON",     "JA3", "JA4"};

const char* action_name(schema::WafAction::Kind kind) {
  switch (kind) {
    case schema::WafAction::Kind::Allow:
      return "allow";
    case schema::WafAction::Kind::Block:
      return "block";
    case schema::WafAction::Kind::Count:
      return "count";
    case schema::WafAction::Kind::Challenge:
      return "challenge";
  }
  return "";
}

std::string name_of(schema::WafTransform transform) {
  return schema::type_of<schema::WafTransform>().encode(&transform, {}).get<std::string>();
}

std::string what(const Condition& condition) {
  const auto quoted = [&] {
    std::vector<std::string> texts;
    for (const std::string& text : condition.texts) texts.push_back(schema::in_quotes(text));
    return schema::join(texts, " or ");
  };
  switch (condition.matcher) {
    case WafMatcher::Exact:
      return "is " + quoted();
    case WafMatcher::Prefix:
      return "begins with " + quoted();
    case WafMatcher::Suffix:
      return "ends with " + quoted();
    case WafMatcher::Contains:
      return "contains " + quoted();
    case WafMatcher::Word:
      return "has the word " + quoted();
    case WafMatcher::Regex:
      return "matches " + quoted();
    case WafMatcher::Size:
      return "is of the size asked for";
    case WafMatcher::Sqli:
      return "is SQL injection";
    case WafMatcher::Xss:
      return "is cross-site scripting";
  }
  return "";
}

}  // namespace

std::string FieldTarget::text() const {
  std::string text = kFamilyNames[static_cast<std::size_t>(family)];
  if (!name.empty()) text += " " + schema::in_quotes(name);
  return text;
}

void Evaluation::note_match(const AclRule& rule) {
  std::string found;
  if (rule.expression >= 0)
    explain(acl_.expressions_[static_cast<std::size_t>(rule.expression)], found);
  if (found.empty()) found = "every request";
  if (rule.rate) found += fmt::format("; over its limit of {}", rule.rate->limit);
  std::string labels;
  for (const std::string& label : rule.labels) labels += ", label " + label;
  (*trace_)(fmt::format("rule {} matches: {} -> {}{}", rule.name, found,
                        action_name(rule.action.kind), labels));
}

/// Adds what holds in `expression`, which does.
void Evaluation::explain(const Expression& expression, std::string& out) {
  using Kind = Expression::Kind;
  const auto add = [&out](std::string text) { out += (out.empty() ? "" : "; ") + std::move(text); };
  switch (expression.kind) {
    case Kind::All:
    case Kind::Any:
      for (std::uint32_t i = 0; i < expression.count; ++i) {
        const Expression& operand = acl_.expressions_[expression.first + i];
        if (evaluate(operand) == Truth::Yes) explain(operand, out);
      }
      return;
    case Kind::Not: {
      std::string within;
      const Expression& operand = acl_.expressions_[expression.first];
      add(operand.kind == Kind::Condition
              ? fmt::format("not: {} {}", acl_.conditions_[operand.first].target.text(),
                            what(acl_.conditions_[operand.first]))
              : "a negated statement does not hold");
      return;
    }
    case Kind::Condition:
      return add(describe(expression.first));
    case Kind::Ip:
      return add(fmt::format("the address {} is in the set", view_.client.text()));
    case Kind::ForwardedIp:
      return add(fmt::format("an address of {} is in the set", expression.forwarded.header));
    case Kind::Geo:
      return add(fmt::format("the country is {}", view_.country.text()));
    case Kind::Asn:
      return add(fmt::format("the autonomous system is {}", view_.asn));
    case Kind::Label:
      return add(fmt::format("label {}", expression.label));
  }
}

/// Which text it was, after which transformation.
std::string Evaluation::describe(std::uint32_t number) {
  const Condition& condition = acl_.conditions_[number];
  for (Entry& entry : scratch_.texts_.of(condition.target.family)) {
    for (const TextId text : {entry.name_text, entry.value_text}) {
      const bool is_name = text == entry.name_text;
      const bool taken = entry.has_name ? condition.target.takes(entry.name) : true;
      if (text == Entry::kNoText || !taken || !test(number, text)) continue;
      std::string chain;
      for (const auto transform : condition.transform)
        chain += (chain.empty() ? " after " : ", ") + name_of(transform);
      const std::string field = kFamilyNames[static_cast<std::size_t>(condition.target.family)];
      const std::string pointer = scratch_.texts_.places().pointer(entry.place);
      const std::string where = !pointer.empty() ? field + " " + pointer
                                : entry.has_name ? field + " " + schema::in_quotes(entry.name)
                                                 : field;
      return fmt::format("{}{}{}, which is {}, {}", is_name ? "the name of " : "", where, chain,
                         schema::in_quotes(scratch_.memo_->get(text, condition.chain)),
                         what(condition));
    }
  }
  return fmt::format("{} {}", condition.target.text(), "counts as a match");
}

}  // namespace headgate::guard::waf
