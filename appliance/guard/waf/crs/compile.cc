// SPDX-License-Identifier: MIT
// Program and options to RuleSet.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "appliance/guard/waf/crs/rule_set.h"
#include "appliance/guard/waf/match/injection.h"
#include "appliance/guard/waf/text/octets.h"
#include "appliance/http/field.h"
#include "schema/text.h"

namespace headgate::guard::waf {

bool RuleSelection::selects(const Rule& rule) const {
  if (!tag.empty()) return std::find(rule.tags.begin(), rule.tags.end(), tag) != rule.tags.end();
  return last_id == 0 || (rule.id >= first_id && rule.id <= last_id);
}

std::string RuleSelection::text() const {
  if (!tag.empty()) return "tag:" + tag;
  return first_id == last_id ? fmt::format("{}", first_id)
                             : fmt::format("{}-{}", first_id, last_id);
}

Result<Selector> Selector::compile(const Target& target, TxNames& names) {
  Selector selector;
  selector.collection = target.collection;
  selector.select = target.select;
  selector.name = target.selector;
  if (target.select == Target::Select::Regex) {
    HG_TRY(Regex regex, Regex::compile("(?i)" + target.selector), "the selector of {}",
           seclang_name(target.collection));
    selector.regex = std::make_shared<const Regex>(std::move(regex));
  }
  if (target.collection == Collection::Tx && target.select == Target::Select::Name)
    selector.slot = names.intern(target.selector);
  return selector;
}

bool Selector::selects(std::string_view value_name, Workspace& workspace) const {
  switch (select) {
    case Target::Select::All:
      return true;
    case Target::Select::Name:
      return http::equals_ignoring_case(name, value_name);
    case Target::Select::Regex:
      return regex->search(value_name, workspace) == Found::Yes;
  }
  return false;
}

Template Template::compile(const Macro& macro, TxNames& names) {
  Template compiled;
  for (const Macro::Piece& piece : macro.pieces) {
    Piece made;
    if (const auto* const literal = std::get_if<std::string>(&piece)) {
      made.text = *literal;
    } else {
      const auto& variable = std::get<Macro::Variable>(piece);
      made.literal = false;
      made.collection = variable.collection;
      made.text = variable.name;
      if (variable.collection == Collection::Tx) made.slot = names.intern(variable.name);
    }
    compiled.pieces.push_back(std::move(made));
  }
  return compiled;
}

class Compiler {
 public:
  Compiler(RuleSet& set, Program program, const CrsOptions& options)
      : set_(set), program_(std::move(program)) {
    set_.options_ = options;
  }

  Status run(Prescan::Cache* cache) {
    HG_CHECK(setup_variables(), "CRS options");
    HG_CHECK(collect(), "CRS rules");
    for (Link& link : set_.links_) HG_CHECK(compile(link), "rule at {}", where(link));
    HG_CHECK(other_variables(), "setup");
    HG_CHECK(check_selections(), "CRS options");
    HG_CHECK(exclusions(), "exclusions");
    for (Link& link : set_.links_) {
      for (Selector& selector : link.targets) select_slots(selector);
    }
    for (std::uint32_t i = 0; i < set_.links_.size(); ++i) plan_prescan(i);
    HG_CHECK(set_.prescan_.finish(cache), "CRS rules");
    settle_prescan();
    return {};
  }

 private:
  static std::string where(const Link& link) {
    return fmt::format("{}:{}", link.rule.location.file, link.rule.location.line);
  }
  int executing_paranoia() const {
    return set_.options_.executing_paranoia == 0 ? set_.options_.paranoia
                                                 : set_.options_.executing_paranoia;
  }

  Status setup_variables() {
    const CrsOptions& options = set_.options_;
    if (options.paranoia < 1 || options.paranoia > 4)
      return fail(Blame::Config, "paranoia is {}; write 1 to 4", options.paranoia);
    if (executing_paranoia() < options.paranoia || executing_paranoia() > 4)
      return fail(Blame::Config, "executing paranoia is {}; write {} to 4", executing_paranoia(),
                  options.paranoia);
    const auto init = [this](std::string_view name, std::string value) {
      set_.tx_initial_.emplace_back(set_.tx_names_.intern(name), std::move(value));
    };
    init("crs_setup_version", "334");
    init("paranoia_level", std::to_string(options.paranoia));
    init("executing_paranoia_level", std::to_string(executing_paranoia()));
    init("inbound_anomaly_score_threshold", std::to_string(options.inbound_threshold));
    init("outbound_anomaly_score_threshold", std::to_string(options.outbound_threshold));
    return {};
  }

  // Once all names are known: one that no rule reads would have no effect.
  Status other_variables() {
    std::string unknown;
    for (const auto& [name, value] : set_.options_.variables) {
      if (const auto slot = set_.tx_names_.find(name))
        set_.tx_initial_.emplace_back(*slot, value);
      else
        unknown += (unknown.empty() ? "" : ", ") + schema::in_quotes(name) + hint_for(name);
    }
    if (unknown.empty()) return {};
    return fail(Blame::Config, "no rule reads a variable {}", unknown);
  }

  std::string hint_for(const std::string& name) const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < set_.tx_names_.size(); ++i)
      names.push_back(set_.tx_names_.name(static_cast<TxSlot>(i)));
    const std::string hint = schema::did_you_mean(name, names, "");
    return hint.empty() ? hint : " (" + hint + ")";
  }

  // Also of rules that are off.
  bool selects_any(const RuleSelection& selection) const {
    return std::any_of(set_.links_.begin(), set_.links_.end(), [&](const Link& link) {
      return link.rule.id != 0 && selection.selects(link.rule);
    });
  }

  // Who mistypes an id has excluded nothing.
  Status check_selections() const {
    std::vector<std::string> unknown;
    for (const Override& one : set_.options_.overrides)
      if (!selects_any(one.rules)) unknown.push_back("override " + one.rules.text());
    for (const Exclusion& one : set_.options_.exclusions)
      if (!selects_any(one.rules)) unknown.push_back("exclude " + one.rules.text());
    unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
    if (unknown.empty()) return {};
    return fail(Blame::Config, "{}: the group has no such rule", schema::join(unknown));
  }

  const Override* override_of(const Rule& rule) const {
    const Override* found = nullptr;
    for (const Override& one : set_.options_.overrides) {
      if (one.rules.selects(rule)) found = &one;
    }
    return found;
  }

  // Puts links and heads into the set; the next marker of its name is where skipAfter leads.
  Status collect() {
    bool chained = false;
    for (Program::Item& item : program_.items) {
      if (const Marker* const marker = std::get_if<Marker>(&item)) {
        for (const std::size_t head : waiting_[marker->name])
          set_.heads_[head].skip_to =
              static_cast<std::uint32_t>(set_.phases_[phase_of(head)].size());
        waiting_.erase(marker->name);
        continue;
      }
      add_rule(std::move(std::get<Rule>(item)), chained);
      chained = set_.links_.back().rule.chained;
    }
    // ModSecurity skips the rest of the phase when there is no such marker.
    for (const auto& [name, heads] : waiting_) {
      for (const std::size_t head : heads)
        set_.heads_[head].skip_to = static_cast<std::uint32_t>(set_.phases_[phase_of(head)].size());
    }
    return {};
  }

  int phase_of(std::size_t head) const { return set_.links_[set_.heads_[head].link].rule.phase; }

  void add_rule(Rule rule, bool chained) {
    const auto index = static_cast<std::uint32_t>(set_.links_.size());
    if (chained) set_.links_.back().next = index;
    Link link;
    link.rule = std::move(rule);
    set_.links_.push_back(std::move(link));
    if (chained) {
      // Before the first link was added no head was; its own is off then, and so is the chain.
      if (!dropped_ && !set_.links_.back().rule.skip_after.empty())
        waiting_[set_.links_.back().rule.skip_after].push_back(set_.heads_.size() - 1);
      return;
    }
    const Rule& added = set_.links_.back().rule;
    const Override* const changed = override_of(added);
    dropped_ = changed != nullptr && changed->mode == Override::Mode::Off;
    if (dropped_) return;
    const DefaultAction& defaults = program_.defaults[added.phase];
    Head head;
    head.link = index;
    head.count_only = changed != nullptr;
    head.log = added.log.value_or(defaults.log);
    const bool by_default =
        added.disruption == Disruption::None || added.disruption == Disruption::Block;
    head.disruption = by_default ? defaults.disruption : added.disruption;
    head.status = added.status != 0 ? added.status : defaults.status;
    auto& phase = set_.phases_[added.phase];
    head.phase_index = static_cast<std::uint32_t>(phase.size());
    if (!added.skip_after.empty()) waiting_[added.skip_after].push_back(set_.heads_.size());
    phase.push_back(static_cast<RuleIndex>(set_.heads_.size()));
    set_.heads_.push_back(head);
  }

  Status compile(Link& link) {
    for (const Target& target : link.rule.targets) {
      HG_TRY(Selector selector, Selector::compile(target, set_.tx_names_), "target");
      if (target.exclude) {
        link.exclusions.push_back(std::move(selector));
      } else {
        link.targets.push_back(std::move(selector));
        link.counts.push_back(target.count);
      }
    }
    std::vector<Transformation>& steps = link.rule.transformations;
    if (link.rule.multi_match) {
      for (std::size_t i = 0; i < steps.size(); ++i)
        link.chains.push_back(set_.chains_.intern(std::span(steps.data(), i)));
    }
    link.chains.push_back(set_.chains_.intern(steps));
    HG_CHECK(compile_operator(link), "operator");
    link.message = Template::compile(link.rule.message, set_.tx_names_);
    link.logdata = Template::compile(link.rule.logdata, set_.tx_names_);
    for (const Effect& effect : link.rule.effects) HG_CHECK(compile_effect(effect, link), "action");
    return {};
  }

  Status compile_operator(Link& link) {
    const Operator& op = link.rule.op;
    link.argument = Template::compile(op.argument, set_.tx_names_);
    switch (op.kind) {
      case OperatorKind::Rx: {
        if (op.argument.literal() == nullptr) break;  // by Workspace::find_regex
        HG_TRY(Regex regex, Regex::compile(*op.argument.literal()), "@rx");
        link.regex.emplace(std::move(regex));
        break;
      }
      case OperatorKind::Pm:
      case OperatorKind::PmFromFile:
        link.phrases.emplace(op.phrases);
        break;
      case OperatorKind::ValidateByteRange: {
        HG_TRY(link.octets, ByteRange::parse(*op.argument.literal()), "@validateByteRange");
        break;
      }
      case OperatorKind::IpMatch:
        for (std::string_view rest = *op.argument.literal(); !rest.empty();) {
          const std::size_t comma = std::min(rest.find(','), rest.size());
          HG_CHECK(link.addresses.add(http::trim(rest.substr(0, comma))), "@ipMatch");
          rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
        link.addresses.finish();
        break;
      default:
        break;
    }
    return {};
  }

  Status compile_effect(const Effect& effect, Link& link) {
    TxNames& names = set_.tx_names_;
    if (const auto* const set = std::get_if<SetVariable>(&effect)) {
      CompiledSet made{set->how, set->collection, std::nullopt, Template::compile(set->name, names),
                       Template::compile(set->value, names)};
      if (set->collection == Collection::Tx && made.name.constant())
        made.slot = names.intern(lowercased(*set->name.literal()));
      link.effects.emplace_back(std::move(made));
    } else if (const auto* const expire = std::get_if<ExpireVariable>(&effect)) {
      link.effects.emplace_back(CompiledExpire{expire->collection, expire->name,
                                               Template::compile(expire->seconds, names)});
    } else if (const auto* const init = std::get_if<InitCollection>(&effect)) {
      link.effects.emplace_back(
          CompiledInit{init->collection, Template::compile(init->key, names)});
    } else {
      return compile_control(std::get<Control>(effect), link);
    }
    return {};
  }

  Status compile_control(const Control& control, Link& link) {
    CompiledControl made{control.kind, {}, {}, control.processor, control.on};
    const bool by_tag = control.kind == Control::Kind::RemoveByTag ||
                        control.kind == Control::Kind::RemoveTargetByTag;
    const bool by_id = control.kind == Control::Kind::RemoveById ||
                       control.kind == Control::Kind::RemoveTargetById;
    std::optional<Regex> tag;
    if (by_tag) {
      HG_TRY(Regex regex, Regex::compile(control.tag), "the tag of ctl");
      tag.emplace(std::move(regex));
    }
    for (RuleIndex i = 0; i < set_.heads_.size() && (by_tag || by_id); ++i) {
      const Rule& rule = set_.rule(i);
      const auto tagged = [&](const std::string& one) {
        return tag->search(one, workspace_) == Found::Yes;
      };
      if (by_tag ? std::any_of(rule.tags.begin(), rule.tags.end(), tagged)
                 : rule.id >= control.first_id && rule.id <= control.last_id)
        made.rules.push_back(i);
    }
    HG_TRY(made.target, Selector::compile(control.target, set_.tx_names_), "the target of ctl");
    link.controls.push_back(std::move(made));
    return {};
  }

  Status exclusions() {
    for (const Exclusion& exclusion : set_.options_.exclusions) {
      RuleSet::CompiledExclusion made{
          {}, exclusion.whole_rule, {}, exclusion.match, exclusion.path};
      HG_TRY(made.target, Selector::compile(exclusion.target, set_.tx_names_), "target");
      for (RuleIndex i = 0; i < set_.heads_.size(); ++i) {
        if (exclusion.rules.selects(set_.rule(i))) made.rules.push_back(i);
      }
      set_.exclusions_.push_back(std::move(made));
    }
    return {};
  }

  // Once all names are known.
  void select_slots(Selector& selector) {
    if (selector.collection != Collection::Tx || !selector.regex) return;
    for (std::size_t i = 0; i < set_.tx_names_.size(); ++i) {
      const auto slot = static_cast<TxSlot>(i);
      if (selector.regex->search(set_.tx_names_.name(slot), workspace_) == Found::Yes)
        selector.slots.push_back(slot);
    }
  }

  // Rules above the paranoia that runs are skipped over: their patterns would only cost time. If
  // one is reached all the same, it looks at every value.
  bool beyond_paranoia(const Rule& rule) const {
    for (const std::string& tag : rule.tags) {
      if (tag.starts_with("paranoia-level/") && tag.size() == 16 &&
          tag.back() - '0' > executing_paranoia())
        return true;
    }
    return false;
  }

  void plan_prescan(std::uint32_t index) {
    Link& link = set_.links_[index];
    link.prescanned.assign(link.targets.size(), false);
    // The tags of a chain are on its first link.
    if (index == 0 || set_.links_[index - 1].next != index) beyond_ = beyond_paranoia(link.rule);
    Prescan::Entry entry;
    if (beyond_ || link.rule.op.negated || !plan_search(link, entry)) return;
    bool worthwhile = false;
    for (std::size_t i = 0; i < link.targets.size(); ++i) {
      const FieldGroup group = field_group(link.targets[i].collection);
      const bool all = link.targets[i].select == Target::Select::All;
      // A detector takes longer than a look at the names.
      if (link.counts[i] || group == FieldGroup::None || (entry.detector != nullptr && !all))
        continue;
      link.prescanned[i] = true;
      worthwhile = worthwhile || all;
      if (std::find(entry.groups.begin(), entry.groups.end(), group) == entry.groups.end())
        entry.groups.push_back(group);
    }
    if (!worthwhile) {
      link.prescanned.assign(link.targets.size(), false);
      return;
    }
    link.all_prescanned =
        std::find(link.prescanned.begin(), link.prescanned.end(), false) == link.prescanned.end();
    entry.chains = link.chains;
    link.prescan = set_.prescan_.add(std::move(entry));
  }

  // What a prescan would look for; false when the operator is none for it.
  static bool plan_search(const Link& link, Prescan::Entry& entry) {
    if (link.phrases) {
      for (const std::string& phrase : link.phrases->phrases())
        entry.patterns.push_back({Pattern::Kind::Phrase, phrase, 0});
    } else if (link.regex) {
      entry.patterns.push_back({Pattern::Kind::Regex, *link.rule.op.argument.literal(), 0});
    } else if (link.rule.op.kind == OperatorKind::DetectSqli) {
      entry.detector = [](std::string_view text) { return is_sql_injection(text); };
    } else if (link.rule.op.kind == OperatorKind::DetectXss) {
      entry.detector = is_cross_site_scripting;
    } else {
      return false;
    }
    return true;
  }

  // After finish(): which links go without, and what each phase has to scan.
  void settle_prescan() {
    for (Link& link : set_.links_) {
      if (!link.prescan) continue;
      if (!set_.prescan_.covers(*link.prescan)) {
        link.prescan.reset();
        link.prescanned.assign(link.targets.size(), false);
        continue;
      }
      auto& scanned = set_.scanned_by_[link.rule.phase];
      for (std::size_t i = 0; i < link.targets.size(); ++i) {
        const Collection collection = link.targets[i].collection;
        if (link.prescanned[i] &&
            std::find(scanned.begin(), scanned.end(), collection) == scanned.end())
          scanned.push_back(collection);
      }
    }
  }

  static std::string lowercased(std::string text) {
    for (char& c : text) c = text::to_lower(c);
    return text;
  }

  RuleSet& set_;
  Program program_;
  Workspace workspace_;
  std::map<std::string, std::vector<std::size_t>> waiting_;  ///< heads by the marker they skip to
  bool dropped_ = false;
  bool beyond_ = false;
};

Result<std::shared_ptr<const RuleSet>> RuleSet::compile(Program program, const CrsOptions& options,
                                                        Prescan::Cache* cache) {
  const std::shared_ptr<RuleSet> set(new RuleSet);
  HG_CHECK(Compiler(*set, std::move(program), options).run(cache), "compiling");
  return std::shared_ptr<const RuleSet>(set);
}

}  // namespace headgate::guard::waf
