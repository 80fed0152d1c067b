// SPDX-License-Identifier: MIT
// Reads SecLang directive by directive.
#include "appliance/guard/waf/seclang/reader.h"

#include <filesystem>

#include "appliance/guard/waf/match/ip_set.h"
#include "appliance/guard/waf/match/phrases.h"
#include "appliance/guard/waf/match/regex.h"
#include "appliance/guard/waf/match/validate.h"
#include "appliance/guard/waf/seclang/actions.h"
#include "appliance/guard/waf/seclang/macro.h"
#include "appliance/guard/waf/seclang/targets.h"
#include "appliance/guard/waf/seclang/words.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {
namespace {

constexpr int kDeepestInclude = 8;

// "@pm a b" as a list.
std::vector<std::string> split_phrases(std::string_view text) {
  std::vector<std::string> phrases;
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    phrases.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return phrases;
}

// Whether the argument is one that the operator understands.
Status check_argument(const Operator& op) {
  const std::string* const literal = op.argument.literal();
  switch (op.kind) {
    case OperatorKind::Rx: {
      if (literal == nullptr) return {};  // compiled when it is known
      HG_TRY(const Regex regex, Regex::compile(*literal), "@rx");
      (void)regex;
      return {};
    }
    case OperatorKind::ValidateByteRange: {
      if (literal == nullptr) return fail(Blame::Config, "@validateByteRange takes no %{{…}}");
      HG_TRY(const ByteRange range, ByteRange::parse(*literal), "@validateByteRange");
      (void)range;
      return {};
    }
    case OperatorKind::IpMatch: {
      if (literal == nullptr) return fail(Blame::Config, "@ipMatch takes no %{{…}}");
      IpSet set;
      for (std::string_view rest = *literal; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        HG_CHECK(set.add(trimmed(rest.substr(0, comma))), "@ipMatch");
        rest.remove_prefix(std::min(comma + 1, rest.size()));
      }
      return {};
    }
    default:
      return {};
  }
}

}  // namespace

void Reader::problem(const Location& location, std::string message) {
  problems_.push_back({location, std::move(message)});
}

void Reader::read(const std::string& pattern) { include(pattern, Location{pattern, 0}, false); }

void Reader::include(const std::string& pattern, const Location& location, bool optional) {
  const std::vector<std::string> paths = files_.list(pattern);
  if (paths.empty() && !optional) problem(location, "no file is named by '" + pattern + "'");
  if (++depth_ > kDeepestInclude) {
    problem(location, "files include each other more than 8 deep");
  } else {
    for (const std::string& path : paths) {
      const auto text = files_.read(path);
      if (text) {
        read_text(*text, path);
      } else {
        problem(location, text.error().context);
      }
    }
  }
  --depth_;
}

void Reader::read_text(std::string_view text, const std::string& file) {
  int line = 0;
  const auto directives = split_directives(text, line);
  if (!directives) {
    problem({file, line}, directives.error().context);
    return;
  }
  for (const Directive& one : *directives) directive(one.words, {file, one.line});
  if (in_chain_) problem({file, line}, "the file ends within a chain");
  in_chain_ = false;
}

void Reader::directive(const std::vector<std::string>& words, const Location& location) {
  const auto is = [&](std::string_view name) {
    return http::equals_ignoring_case(words.front(), name);
  };
  if (in_chain_ && !is("SecRule"))
    problem(location, "a chain goes on here: SecRule is expected, not " + words.front());
  if (is("SecRule")) return rule(words, location);
  if (is("SecAction")) return action(words, location);
  if (is("SecDefaultAction")) return default_action(words, location);
  if (is("SecRuleRemoveById")) return remove(words, location, false);
  if (is("SecRuleRemoveByTag")) return remove(words, location, true);
  if (is("SecComponentSignature")) return;  // a name for logs
  if (words.size() != 2)
    return problem(location, words.front() + " takes one word, or is not supported");
  if (is("SecMarker")) {
    program_.items.emplace_back(Marker{words[1]});
  } else if (is("SecCollectionTimeout")) {
    int last = 0;
    if (!parse_id_range(words[1], program_.collection_timeout_seconds, last))
      problem(location, "SecCollectionTimeout takes seconds");
  } else if (is("Include") || is("IncludeOptional")) {
    include(words[1], location, is("IncludeOptional"));
  } else {
    problem(location, "the directive " + words.front() +
                          " is not supported; take it out, or set what it does in the WebACL");
  }
}

Result<Operator> Reader::parse_operator(std::string_view text, const Location& location) const {
  Operator op;
  text = trimmed(text);
  if (text.starts_with('!')) {
    op.negated = true;
    text = trimmed(text.substr(1));
  }
  op.kind = OperatorKind::Rx;
  if (text.starts_with('@')) {
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    const auto kind = find_operator(text.substr(1, end - 1));
    if (!kind)
      return fail(Blame::Config, "the operator '{}' is not supported; take the rule out",
                  text.substr(0, end));
    op.kind = *kind;
    text = trimmed(text.substr(end));
  }
  if (op.kind == OperatorKind::Pm) {
    op.phrases = split_phrases(text);
  } else if (op.kind == OperatorKind::PmFromFile) {
    for (const std::string& name : split_phrases(text)) {
      const auto path = std::filesystem::path(location.file).parent_path() / name;
      HG_TRY(const std::string lines, files_.read(path), "@pmFromFile");
      for (std::string& phrase : read_phrase_lines(lines)) op.phrases.push_back(std::move(phrase));
    }
  } else if (op.kind == OperatorKind::Rx && text.find("%{") == std::string_view::npos) {
    op.argument.pieces.emplace_back(std::string(text));
  } else {
    HG_TRY(op.argument, parse_macro(text), "operator");
  }
  const bool phrases = op.kind == OperatorKind::Pm || op.kind == OperatorKind::PmFromFile;
  if (phrases && op.phrases.empty()) return fail(Blame::Config, "there are no phrases to look for");
  HG_CHECK(check_argument(op), "operator");
  return op;
}

void Reader::rule(const std::vector<std::string>& words, const Location& location) {
  if (words.size() < 3 || words.size() > 4)
    return problem(location, "SecRule takes variables, an operator and actions; quote each");
  Rule rule;
  rule.location = location;
  const auto actions = words.size() == 4 ? parse_actions(words[3], rule) : Status();
  auto targets = parse_targets(words[1]);
  auto op = parse_operator(words[2], location);
  if (!targets) problem(location, targets.error().context);
  if (!op) problem(location, op.error().context);
  if (!actions) problem(location, actions.error().context);
  if (!targets || !op || !actions) {
    in_chain_ = rule.chained;
    return;
  }
  rule.targets = std::move(*targets);
  rule.op = std::move(*op);
  add(std::move(rule));
}

void Reader::action(const std::vector<std::string>& words, const Location& location) {
  if (words.size() != 2) return problem(location, "SecAction takes a list of actions; quote it");
  Rule rule;
  rule.location = location;
  const auto actions = parse_actions(words[1], rule);
  if (!actions) return problem(location, actions.error().context);
  add(std::move(rule));
}

void Reader::add(Rule rule) {
  if (in_chain_) {
    if (rule.id != 0) problem(rule.location, "only the first rule of a chain has an id");
    rule.phase = chain_phase_;
  } else {
    if (rule.id == 0) return problem(rule.location, "the rule has no id");
    chain_phase_ = rule.phase;
  }
  in_chain_ = rule.chained;
  program_.items.emplace_back(std::move(rule));
}

void Reader::default_action(const std::vector<std::string>& words, const Location& location) {
  Rule rule;
  rule.phase = 0;
  if (words.size() != 2)
    return problem(location, "SecDefaultAction takes a list of actions; quote it");
  const auto actions = parse_actions(words[1], rule);
  if (!actions) return problem(location, actions.error().context);
  const bool plain = rule.id == 0 && rule.effects.empty() && rule.transformations.empty() &&
                     rule.skip_after.empty() && !rule.chained &&
                     rule.disruption != Disruption::Block;
  if (rule.phase == 0 || !plain)
    return problem(location,
                   "SecDefaultAction takes phase, status, log or nolog, and pass, deny or drop");
  DefaultAction& defaults = program_.defaults[rule.phase];
  if (rule.disruption != Disruption::None) defaults.disruption = rule.disruption;
  if (rule.status != 0) defaults.status = rule.status;
  defaults.log = rule.log.value_or(true);
}

void Reader::remove(const std::vector<std::string>& words, const Location& location, bool by_tag) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    int first = 0;
    int last = 0;
    if (!by_tag) {
      const auto range = parse_id_range(words[i], first, last);
      if (!range) return problem(location, range.error().context);
    }
    // A chain goes as a whole.
    bool removing = false;
    bool link = false;
    std::erase_if(program_.items, [&](const Program::Item& item) {
      const Rule* const rule = std::get_if<Rule>(&item);
      if (rule == nullptr) return false;
      if (!link) {
        removing =
            by_tag ? std::find(rule->tags.begin(), rule->tags.end(), words[i]) != rule->tags.end()
                   : rule->id >= first && rule->id <= last;
      }
      link = rule->chained;
      return removing;
    });
  }
}

Program Reader::take_program() { return std::move(program_); }

}  // namespace headgate::guard::waf
