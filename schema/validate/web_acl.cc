// SPDX-License-Identifier: MIT
// Checks of rules: what goes together, what is referred to, what can never happen.
#include "schema/validate/web_acl.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

class AclCheck {
 public:
  AclCheck(const WebAcl& acl, const Node& spec, Decoder& decoder)
      : acl_(acl), spec_(spec), decoder_(decoder) {
    for (const WafIpSet& set : acl.ip_sets) sets_.push_back(set.name);
    for (const WafBot& bot : acl.bots) add_bot_labels(bot);
  }

  void run() {
    check_default_action();
    check_bots();
    collect_labels();
    for (std::size_t i = 0; i < acl_.rules.size(); ++i) {
      const Node* node = &spec_.locate(fmt::format("rules.{}", i));
      if (node->is_map()) check_rule(acl_.rules[i], *node);
      for (const std::string& label : acl_.rules[i].labels) set_before_.push_back(label);
      has_group_ = has_group_ || acl_.rules[i].managed.has_value();
    }
    for (const WafIpSet& set : acl_.ip_sets)
      if (!used_sets_.contains(set.name))
        decoder_.warning(Code::NoEffect, spec_.locate("ipSets").locate(set.name).key_mark,
                         fmt::format("no rule uses the IP set {}", in_quotes(set.name)),
                         "write {ip: NAME} in a statement, or remove it");
    if (!acl_.bots.empty() && !asks_for_bots_)
      decoder_.warning(Code::NoEffect, spec_.locate("bots").key_mark,
                       "no rule asks for a label of `bots`",
                       "write {label: \"bot:unverified\"} in a statement, or remove it");
  }

 private:
  /// The labels that requests may have before the first rule.
  void add_bot_labels(const WafBot& bot) {
    if (bot.name.empty()) return;  // reported
    for (const std::string& label : bot_labels(bot))
      if (std::find(bot_labels_.begin(), bot_labels_.end(), label) == bot_labels_.end())
        bot_labels_.push_back(label);
  }

  static std::vector<std::string> bot_labels(const WafBot& bot) {
    std::vector<std::string> labels;
    for (const char* verdict : {"verified", "unverified", "pending"}) {
      if (bot.domains.empty() && verdict == std::string_view("pending")) continue;  // DNS is asked
      labels.push_back(fmt::format("bot:{}", verdict));
      labels.push_back(fmt::format("bot:{}:{}", verdict, bot.name));
    }
    return labels;
  }

  void check_bots() {
    std::map<std::string, Mark> known;
    for (std::size_t i = 0; i < acl_.bots.size(); ++i) {
      const Node& node = spec_.locate(fmt::format("bots.{}", i));
      const auto [first, fresh] = known.emplace(acl_.bots[i].name, node.mark);
      if (!fresh && !acl_.bots[i].name.empty())
        decoder_.error(Code::DuplicateItem, node.mark,
                       fmt::format("there already is a bot {}", in_quotes(acl_.bots[i].name)),
                       fmt::format("the first one is in line {}", first->second.line));
    }
    set_before_ = all_labels_ = bot_labels_;
  }

  void check_default_action() {
    const WafAction::Kind kind = acl_.default_action.kind;
    if (kind == WafAction::Kind::Allow || kind == WafAction::Kind::Block) return;
    decoder_.error(Code::Combination, spec_.locate("defaultAction").mark,
                   "the default action must be allow or block", "count and challenge need a rule");
  }

  void collect_labels() {
    for (const WafRule& rule : acl_.rules)
      all_labels_.insert(all_labels_.end(), rule.labels.begin(), rule.labels.end());
  }

  void check_rule(const WafRule& rule, const Node& node) {
    const Node& name = node.locate("name");
    if (!rule.name.empty()) {
      const auto [known, fresh] = names_.emplace(rule.name, name.mark);
      if (!fresh)
        decoder_.error(Code::DuplicateItem, name.mark,
                       fmt::format("there already is a rule {}", in_quotes(rule.name)),
                       fmt::format("the first one is in line {}", known->second.line));
    }
    if (rule.name == "default")
      decoder_.error(Code::Combination, name.mark, "a rule cannot have the name \"default\"",
                     "metrics and logs call the default action so");
    check_labels(rule, node);
    check_shape(rule, node);
    if (rule.when) check_statement(*rule.when, node.locate("when"));
    if (rule.rate) {
      check_rate_labels(*rule.rate, node.locate("rate"));
      if (rule.rate->when) check_statement(*rule.rate->when, node.locate("rate.when"));
    }
    check_reachable(rule, node);
  }

  /// What others go by must not be set by somebody else.
  void check_labels(const WafRule& rule, const Node& node) {
    for (std::size_t i = 0; i < rule.labels.size(); ++i)
      for (const char* reserved : {"bot:", "owasp-crs:"})
        if (rule.labels[i].starts_with(reserved))
          decoder_.error(Code::Combination, node.locate(fmt::format("labels.{}", i)).mark,
                         fmt::format("labels that begin with {} are not for rules", reserved),
                         reserved == std::string_view("bot:") ? "`bots` sets them"
                                                              : "`managed` groups set them");
  }

  void combination(const Node& node, std::string_view field, std::string message,
                   std::string hint) {
    decoder_.error(Code::Combination, node.locate(field).key_mark, std::move(message),
                   std::move(hint));
  }

  void check_shape(const WafRule& rule, const Node& node) {
    for (std::size_t i = 0; i < rule.exclude.size(); ++i) {
      const auto& path = rule.exclude[i].path;
      const bool plain =
          !path || (path->transform.empty() &&
                    (path->matcher == WafMatcher::Exact || path->matcher == WafMatcher::Prefix));
      if (!plain)
        decoder_.error(Code::Combination, node.locate(fmt::format("exclude.{}.path", i)).mark,
                       "the path of an exclusion is exact: or prefix:, without transformations",
                       "it is compared with the path as the router sees it");
    }
    if (rule.rate && rule.managed)
      combination(node, "managed", "a rule has `rate` or `managed`, not both", "make two of it");
    if (rule.rate && rule.when)
      combination(node, "when", "`when` beside `rate` does not say which of them counts",
                  "write it as rate.when: then only such requests are counted");
    if (!rule.managed && node.find("override") != nullptr)
      combination(node, "override", "`override` needs `managed`", "it is about a group's rules");
    if (!rule.managed && node.find("exclude") != nullptr)
      combination(node, "exclude", "`exclude` needs `managed`", "it is about a group's rules");
    for (const auto& [id, what] : rule.overrides)
      if (what != "count" && what != "off")
        decoder_.error(
            Code::NotAChoice, node.locate("override").locate(id).mark,
            fmt::format("the override of {} cannot be {}", in_quotes(id), in_quotes(what)),
            "one of count, off");
    if (node.find("action") == nullptr) {
      if (!rule.managed)
        decoder_.error(Code::FieldMissing, node.mark,
                       fmt::format("the rule {} has no `action`", in_quotes(rule.name)),
                       "allow, block, count or challenge");
      return;
    }
    if (rule.rate && rule.action && rule.action->kind == WafAction::Kind::Allow)
      combination(node, "action", "`allow` would let through what comes too fast",
                  "block, challenge or count");
  }

  void check_rate_labels(const WafRate& rate, const Node& node) {
    for (std::size_t i = 0; i < rate.key.size(); ++i)
      if (rate.key[i].starts_with("label:"))
        check_label(rate.key[i].substr(6), node.locate(fmt::format("key.{}", i)));
  }

  void check_statement(const WafStatement& statement, const Node& node) {
    if (!node.is_map() || node.children.size() != 1) return;  // reported already
    const Node& value = node.children[0];
    switch (statement.kind) {
      case WafStatement::Kind::All:
      case WafStatement::Kind::Any:
        for (std::size_t i = 0; i < statement.operands.size() && i < value.children.size(); ++i)
          check_statement(statement.operands[i], value.children[i]);
        if (statement.kind == WafStatement::Kind::All) check_disjoint(statement, value);
        break;
      case WafStatement::Kind::Not:
        if (!statement.operands.empty()) check_statement(statement.operands.front(), value);
        break;
      case WafStatement::Kind::Ip:
        check_sets(statement.ip, value);
        break;
      case WafStatement::Kind::ForwardedIp:
        check_sets(statement.forwarded_ip.sets, value.locate("in"));
        break;
      case WafStatement::Kind::Label:
        check_label(statement.label, value);
        break;
      default:
        break;
    }
  }

  void check_sets(const std::vector<std::string>& sets, const Node& node) {
    for (std::size_t i = 0; i < sets.size(); ++i) {
      if (sets[i].empty()) continue;
      used_sets_.insert(sets[i]);
      if (std::find(sets_.begin(), sets_.end(), sets[i]) != sets_.end()) continue;
      std::string network = sets[i];
      if (kCidr.check(network).empty()) continue;
      const Node& place = node.is_sequence() ? node.children[i] : node;
      decoder_.error(Code::IpSetUnknown, place.mark,
                     fmt::format("{} is no IP set and no network", in_quotes(sets[i])),
                     did_you_mean(sets[i], sets_,
                                  sets_.empty() ? "add it to ipSets, or write 10.0.0.0/8"
                                                : fmt::format("ipSets: {}", join(sets_))));
    }
  }

  static bool sets(const std::vector<std::string>& labels, const std::string& wanted) {
    return std::any_of(labels.begin(), labels.end(), [&](const std::string& label) {
      return wanted.ends_with(':') ? label.starts_with(wanted) : label == wanted;
    });
  }

  /// Groups set labels that are not written here.
  void check_label(const std::string& label, const Node& node) {
    asks_for_bots_ = asks_for_bots_ || sets(bot_labels_, label);
    if (label.empty() || sets(set_before_, label)) return;
    if (has_group_ && label.starts_with("owasp-crs:")) return;
    const bool later = sets(all_labels_, label);
    decoder_.error(
        Code::LabelUnknown, node.mark,
        later ? fmt::format("no rule before this one sets the label {}", in_quotes(label))
              : fmt::format("no rule sets the label {}", in_quotes(label)),
        later ? "move the rule that sets it up"
              : did_you_mean(label, all_labels_,
                             label.starts_with("bot:") ? "name the bot in `bots`"
                                                       : "set it with labels: in a rule above"));
  }

  /// `all` of two statements on the same field whose texts have nothing in common.
  void check_disjoint(const WafStatement& all, const Node& node) {
    const auto is_exact = [](const WafStatement& s) {
      return s.kind == WafStatement::Kind::Field && s.match.matcher == WafMatcher::Exact &&
             s.match.transform.empty() &&
             (s.match.field == WafField::Method || s.match.field == WafField::Path ||
              s.match.field == WafField::Uri || s.match.field == WafField::Query);
    };
    for (std::size_t i = 0; i < all.operands.size(); ++i)
      for (std::size_t j = i + 1; j < all.operands.size(); ++j) {
        const WafStatement& one = all.operands[i];
        const WafStatement& other = all.operands[j];
        if (!is_exact(one) || !is_exact(other) || one.match.field != other.match.field) continue;
        const bool common = std::any_of(
            one.match.texts.begin(), one.match.texts.end(), [&](const std::string& text) {
              return std::find(other.match.texts.begin(), other.match.texts.end(), text) !=
                     other.match.texts.end();
            });
        if (!common)
          decoder_.error(Code::NeverMatches, node.children[j].mark,
                         "this and an earlier statement of `all` can never both hold",
                         "write one statement with a list of texts, or any:");
      }
  }

  void check_reachable(const WafRule& rule, const Node& node) {
    if (!ended_by_.empty()) {
      decoder_.warning(
          Code::Unreachable, node.mark,
          fmt::format("the rule {} is never reached", in_quotes(rule.name)),
          fmt::format("the rule {} decides about every request", in_quotes(ended_by_)));
      return;
    }
    const bool terminating = rule.action && (rule.action->kind == WafAction::Kind::Allow ||
                                             rule.action->kind == WafAction::Kind::Block);
    if (terminating && !rule.when && !rule.rate && !rule.managed) ended_by_ = rule.name;
  }

  const WebAcl& acl_;
  const Node& spec_;
  Decoder& decoder_;
  std::vector<std::string> sets_;
  std::set<std::string> used_sets_;
  std::vector<std::string> bot_labels_;
  bool asks_for_bots_ = false;
  std::vector<std::string> all_labels_;
  std::vector<std::string> set_before_;
  std::map<std::string, Mark> names_;
  std::string ended_by_;
  bool has_group_ = false;
};

}  // namespace

void check_web_acl(WebAcl& acl, const Node& spec, Decoder& decoder) {
  AclCheck(acl, spec, decoder).run();
}

}  // namespace headgate::schema
