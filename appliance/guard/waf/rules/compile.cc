// SPDX-License-Identifier: MIT
// From the model of a web ACL to conditions, expressions and pattern sets.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "appliance/guard/waf/rules/acl.h"
#include "appliance/guard/waf/rules/managed.h"
#include "schema/encode.h"
#include "schema/text.h"

namespace headgate::guard::waf {
namespace {

using schema::WafField;
using schema::WafMatcher;
using schema::WafStatement;
using schema::WafTransform;

/// How much is read, transformed and scanned for one request at most, as a multiple of what is
/// inspected of its body, and beyond that for its head.
constexpr std::size_t kBudgetOfBody = 64;
constexpr std::size_t kBudgetOfHead = 4 << 20;

Transformation step_of(WafTransform transform) {
  switch (transform) {
    case WafTransform::Base64Decode:
      return Transformation::Base64Decode;
    case WafTransform::Base64DecodeExt:
      return Transformation::Base64DecodeExt;
    case WafTransform::CmdLine:
      return Transformation::CmdLine;
    case WafTransform::CompressWhitespace:
      return Transformation::CompressWhiteSpace;
    case WafTransform::CssDecode:
      return Transformation::CssDecode;
    case WafTransform::EscapeSeqDecode:
      return Transformation::EscapeSeqDecode;
    case WafTransform::HexDecode:
      return Transformation::HexDecode;
    case WafTransform::HtmlEntityDecode:
      return Transformation::HtmlEntityDecode;
    case WafTransform::JsDecode:
      return Transformation::JsDecode;
    case WafTransform::Lowercase:
      return Transformation::Lowercase;
    case WafTransform::Md5:
      return Transformation::Md5;
    case WafTransform::NormalizePath:
      return Transformation::NormalizePath;
    case WafTransform::NormalizePathWin:
      return Transformation::NormalizePathWin;
    case WafTransform::RemoveNulls:
      return Transformation::RemoveNulls;
    case WafTransform::RemoveWhitespace:
      return Transformation::RemoveWhiteSpace;
    case WafTransform::ReplaceComments:
      return Transformation::ReplaceComments;
    case WafTransform::ReplaceNulls:
      return Transformation::ReplaceNulls;
    case WafTransform::Sha1:
      return Transformation::Sha1;
    case WafTransform::SqlHexDecode:
      return Transformation::SqlHexDecode;
    case WafTransform::Uppercase:
      return Transformation::Uppercase;
    case WafTransform::UrlDecode:
      return Transformation::UrlDecode;
    case WafTransform::UrlDecodeUni:
      return Transformation::UrlDecodeUni;
    case WafTransform::Utf8ToUnicode:
      return Transformation::Utf8ToUnicode;
  }
  return Transformation::kCount;
}

Family family_of(WafField field) {
  switch (field) {
    case WafField::Method:
      return Family::Method;
    case WafField::Path:
      return Family::Path;
    case WafField::Uri:
      return Family::Uri;
    case WafField::Query:
      return Family::Query;
    case WafField::Fragment:
      return Family::Fragment;
    case WafField::Arg:
    case WafField::Args:
      return Family::Args;
    case WafField::Header:
    case WafField::Headers:
      return Family::Headers;
    case WafField::HeaderOrder:
      return Family::HeaderOrder;
    case WafField::Cookie:
    case WafField::Cookies:
      return Family::Cookies;
    case WafField::Body:
      return Family::Body;
    case WafField::Form:
      return Family::Form;
    case WafField::Json:
      return Family::Json;
    case WafField::Ja3:
      return Family::Ja3;
    case WafField::Ja4:
      return Family::Ja4;
  }
  return Family::Path;
}

struct TargetName {
  const char* name;
  WafField field;
};
constexpr std::array<TargetName, 13> kTargetNames{{{"uri", WafField::Uri},
                                                   {"path", WafField::Path},
                                                   {"query", WafField::Query},
                                                   {"args", WafField::Args},
                                                   {"arg", WafField::Arg},
                                                   {"headers", WafField::Headers},
                                                   {"header", WafField::Header},
                                                   {"cookies", WafField::Cookies},
                                                   {"cookie", WafField::Cookie},
                                                   {"body", WafField::Body},
                                                   {"form", WafField::Form},
                                                   {"json", WafField::Json},
                                                   {"fragment", WafField::Fragment}}};

/// "arg:q" as a statement on the field.
schema::WafFieldMatch match_of(const std::string& target, WafMatcher matcher,
                               const std::vector<WafTransform>& transform) {
  schema::WafFieldMatch match;
  const std::size_t colon = target.find(':');
  for (const TargetName& known : kTargetNames)
    if (target.substr(0, colon) == known.name) match.field = known.field;
  if (colon != std::string::npos) match.name = target.substr(colon + 1);
  match.matcher = matcher;
  match.transform = transform;
  return match;
}

/// What Hyperscan and PCRE2 both take, also with a NUL in it.
std::string regex_text(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\0' ? std::string("\\x00") : std::string(1, c);
  return out;
}

std::string literal_pattern(const std::string& text) {
  std::string out;
  for (const char c : text) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

bool has_patterns(WafMatcher matcher) {
  return matcher == WafMatcher::Contains || matcher == WafMatcher::Word ||
         matcher == WafMatcher::Regex;
}

RateRule::Key rate_key(const std::string& text) {
  using Kind = RateRule::Key::Kind;
  static const std::map<std::string, Kind> kinds = {
      {"ip", Kind::Ip},         {"forwarded_ip", Kind::ForwardedIp},
      {"header", Kind::Header}, {"cookie", Kind::Cookie},
      {"arg", Kind::Arg},       {"path", Kind::Path},
      {"method", Kind::Method}, {"country", Kind::Country},
      {"asn", Kind::Asn},       {"ja3", Kind::Ja3},
      {"ja4", Kind::Ja4},       {"label", Kind::Label}};
  const std::size_t colon = text.find(':');
  RateRule::Key key;
  key.kind = kinds.at(text.substr(0, colon));  // validated by schema/
  if (colon != std::string::npos) key.name = text.substr(colon + 1);
  if (key.kind == Kind::ForwardedIp && key.name.empty()) key.name = "x-forwarded-for";
  return key;
}

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> serial = 0;
  return ++serial;
}

}  // namespace

class AclCompiler {
 public:
  AclCompiler(const schema::WebAcl& source, const Acl::Options& options)
      : source_(source), options_(options) {}

  tl::expected<std::shared_ptr<const Acl>, std::vector<Acl::Problem>> run() {
    acl_->name_ = source_.name;
    acl_->serial_ = next_serial();
    acl_->inspected_octets_ = source_.inspect;
    acl_->budget_octets_ = source_.inspect * kBudgetOfBody + kBudgetOfHead;
    acl_->response_oversize_ = source_.response_oversize;
    acl_->default_action_ = source_.default_action;
    acl_->shared_ = options_.shared;
    acl_->challenges_ = options_.challenges;
    if (acl_->challenges_ == nullptr && options_.shared != nullptr)
      acl_->challenges_ = options_.shared->challenges();
    if (options_.shared != nullptr)
      acl_->default_tally_ = options_.shared->tally(source_.name, "default");
    note(0, "", add_sets());
    note(0, "", add_bots());
    const schema::Json json = schema::to_json(source_);
    for (std::size_t i = 0; i < source_.rules.size(); ++i)
      note(source_.rules[i].line, ", rule " + source_.rules[i].name,
           add_rule(source_.rules[i], json["spec"]["rules"][i]));
    if (problems_.empty()) note(0, "", compile_patterns());
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return std::shared_ptr<const Acl>(std::move(acl_));
  }

 private:
  void note(int line, const std::string& place, const Status& status) {
    if (!status)
      problems_.push_back(
          {line, fmt::format("WebACL {}{}: {}", source_.name, place, status.error().context)});
  }

  Status add_bots() {
    HG_TRY(acl_->bots_, Bots::compile(source_.bots), "bots");
    return {};
  }

  Status add_sets() {
    for (const schema::WafIpSet& source : source_.ip_sets) {
      auto set = std::make_shared<IpSet>();
      for (const std::string& network : source.networks)
        HG_CHECK(set->add(network), "IP set {}", source.name);
      set->finish();
      sets_[source.name] = std::move(set);
    }
    return {};
  }

  Status add_rule(const schema::WafRule& source, const schema::Json& json) {
    AclRule rule;
    rule.name = source.name;
    rule.labels = source.labels;
    if (source.action) rule.action = *source.action;
    if (options_.shared != nullptr) rule.tally = options_.shared->tally(source_.name, source.name);
    const auto& when = source.rate ? source.rate->when : source.when;
    if (when) {
      const std::size_t root = acl_->expressions_.size();
      acl_->expressions_.emplace_back();
      HG_CHECK(add_statement(*when, root), "{}", source.rate ? "rate.when" : "when");
      rule.expression = static_cast<std::int64_t>(root);
    }
    if (source.rate) rule.rate = rate_rule(source, json);
    if (source.managed) {
      if (!source.action) rule.action.kind = schema::WafAction::Kind::Block;
      acl_->response_octets_ = source_.response;
      HG_TRY(rule.managed, load_managed(source, options_.shared.get(), options_.patterns),
             "managed");
    }
    acl_->rules_.push_back(std::move(rule));
    return {};
  }

  RateRule rate_rule(const schema::WafRule& source, const schema::Json& json) {
    RateRule rate;
    rate.limit = source.rate->limit;
    rate.window = source.rate->window;
    rate.ipv6_prefix = source.rate->ipv6_prefix;
    for (const std::string& key : source.rate->key) rate.keys.push_back(rate_key(key));
    rate.identity =
        base::hash128(fmt::format("{}\n{}\n{}", source_.name, source.name, json["rate"].dump()));
    for (const RateRule::Key& key : rate.keys)
      acl_->uses_geo_ = acl_->uses_geo_ || key.kind == RateRule::Key::Kind::Country ||
                        key.kind == RateRule::Key::Kind::Asn;
    return rate;
  }

  Status add_statement(const WafStatement& statement, std::size_t at) {
    using Kind = WafStatement::Kind;
    switch (statement.kind) {
      case Kind::All:
        return add_operands(Expression::Kind::All, statement.operands, at);
      case Kind::Any:
        return add_operands(Expression::Kind::Any, statement.operands, at);
      case Kind::Not:
        return add_operands(Expression::Kind::Not, statement.operands, at);
      case Kind::Ip:
        return add_ip(Expression::Kind::Ip, statement.ip, at);
      case Kind::ForwardedIp:
        acl_->expressions_[at].forwarded = {statement.forwarded_ip.header,
                                            statement.forwarded_ip.position,
                                            statement.forwarded_ip.fallback};
        return add_ip(Expression::Kind::ForwardedIp, statement.forwarded_ip.sets, at);
      case Kind::Geo:
        acl_->uses_geo_ = true;
        acl_->expressions_[at].kind = Expression::Kind::Geo;
        acl_->expressions_[at].countries = GeoRule(GeoRule::Type::Whitelist, statement.geo, false);
        return {};
      case Kind::Asn:
        acl_->uses_geo_ = true;
        acl_->expressions_[at].kind = Expression::Kind::Asn;
        acl_->expressions_[at].asns = statement.asn;
        std::sort(acl_->expressions_[at].asns.begin(), acl_->expressions_[at].asns.end());
        return {};
      case Kind::Label:
        acl_->expressions_[at].kind = Expression::Kind::Label;
        acl_->expressions_[at].label = statement.label;
        return {};
      case Kind::Field:
        return add_condition(statement.match, at);
      case Kind::Sqli:
      case Kind::Xss:
        return add_injection(statement, at);
    }
    return {};
  }

  /// Makes room for `count` operands that stand one after the other.
  std::size_t add_places(Expression::Kind kind, std::size_t count, std::size_t at) {
    const std::size_t first = acl_->expressions_.size();
    acl_->expressions_[at].kind = kind;
    acl_->expressions_[at].first = static_cast<std::uint32_t>(first);
    acl_->expressions_[at].count = static_cast<std::uint32_t>(count);
    acl_->expressions_.resize(first + count);
    return first;
  }

  Status add_operands(Expression::Kind kind, const std::vector<WafStatement>& operands,
                      std::size_t at) {
    const std::size_t first = add_places(kind, operands.size(), at);
    for (std::size_t i = 0; i < operands.size(); ++i)
      if (Status added = add_statement(operands[i], first + i); !added) return added;
    return {};
  }

  Status add_ip(Expression::Kind kind, const std::vector<std::string>& names, std::size_t at) {
    auto own = std::make_shared<IpSet>();
    for (const std::string& name : names) {
      if (const auto known = sets_.find(name); known != sets_.end())
        acl_->expressions_[at].sets.push_back(known->second);
      else
        HG_CHECK(own->add(name), "ip");
    }
    own->finish();
    acl_->expressions_[at].kind = kind;
    if (!own->empty()) acl_->expressions_[at].sets.push_back(std::move(own));
    return {};
  }

  Status add_injection(const WafStatement& statement, std::size_t at) {
    const WafMatcher matcher =
        statement.kind == WafStatement::Kind::Sqli ? WafMatcher::Sqli : WafMatcher::Xss;
    const auto& injection = statement.injection;
    const std::size_t first = add_places(Expression::Kind::Any, injection.fields.size(), at);
    for (std::size_t i = 0; i < injection.fields.size(); ++i)
      if (Status added =
              add_condition(match_of(injection.fields[i], matcher, injection.transform), first + i);
          !added)
        return added;
    return {};
  }

  Status add_condition(const schema::WafFieldMatch& match, std::size_t at) {
    Condition condition;
    condition.target = {family_of(match.field), match.name,     match.part,    match.only,
                        match.except,           match.pointers, match.invalid, match.fallback};
    if (match.field == WafField::Header || match.field == WafField::Headers) {
      for (std::string& name : condition.target.only) name = schema::to_lower(name);
      for (std::string& name : condition.target.except) name = schema::to_lower(name);
    }
    // Names and values are texts of their own only where there are several.
    if (!match.name.empty()) condition.target.part = schema::WafPart::Values;
    std::vector<Transformation> steps;
    for (const WafTransform transform : match.transform) steps.push_back(step_of(transform));
    condition.chain = acl_->chains_.intern(steps);
    condition.transform = match.transform;
    condition.matcher = match.matcher;
    condition.texts = match.texts;
    if (match.matcher == WafMatcher::Exact)
      std::sort(condition.texts.begin(), condition.texts.end());
    condition.refused.assign(condition.texts.size(), false);
    if (match.matcher == WafMatcher::Regex)
      for (const std::string& text : match.texts) {
        HG_TRY(Regex regex, Regex::compile(regex_text(text)), "regex");
        condition.regexes.push_back(std::move(regex));
      }
    condition.size = match.size;
    condition.oversize = match.oversize.value_or(source_.oversize);
    acl_->expressions_[at].kind = Expression::Kind::Condition;
    acl_->expressions_[at].first = number_of(std::move(condition));
    return {};
  }

  /// The same condition has the same number: it is asked once in a request.
  std::uint32_t number_of(Condition condition) {
    const FieldTarget& target = condition.target;
    const auto list = [](const std::vector<std::string>& texts) {
      std::string all;
      for (const std::string& text : texts) all += fmt::format("{}:{}", text.size(), text);
      return all;
    };
    const std::string key = fmt::format(
        "{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", static_cast<int>(target.family), target.name,
        static_cast<int>(target.part), list(target.only), list(target.except),
        list(target.pointers), static_cast<int>(target.invalid), static_cast<int>(target.fallback),
        condition.chain, static_cast<int>(condition.matcher), list(condition.texts),
        static_cast<int>(condition.size.comparison), condition.size.octets,
        static_cast<int>(condition.oversize));
    const auto [known, fresh] =
        numbers_.emplace(key, static_cast<std::uint32_t>(acl_->conditions_.size()));
    if (fresh) acl_->conditions_.push_back(std::move(condition));
    return known->second;
  }

  Status compile_patterns() {
    std::array<std::vector<Pattern>, kFamilies> patterns;
    for (std::uint32_t number = 0; number < acl_->conditions_.size(); ++number) {
      const Condition& condition = acl_->conditions_[number];
      if (!has_patterns(condition.matcher)) continue;
      const auto family = static_cast<std::size_t>(condition.target.family);
      auto& uses = acl_->patterns_[family].uses;
      for (std::uint32_t text = 0; text < condition.texts.size(); ++text) {
        const auto id = static_cast<std::uint32_t>(uses.size());
        const std::string& source = condition.texts[text];
        uses.push_back({number, text});
        patterns[family].push_back(
            {Pattern::Kind::Regex,
             condition.matcher == WafMatcher::Regex ? regex_text(source) : literal_pattern(source),
             id});
      }
    }
    for (std::size_t family = 0; family < kFamilies; ++family) {
      if (patterns[family].empty()) continue;
      std::vector<std::uint32_t> refused;
      HG_TRY(acl_->patterns_[family].set, PatternSet::compile(patterns[family], refused),
             "compiling patterns");
      for (const std::uint32_t id : refused) {
        const PatternUse use = acl_->patterns_[family].uses[id];
        acl_->conditions_[use.condition].refused[use.text] = true;
      }
    }
    return {};
  }

  const schema::WebAcl& source_;
  const Acl::Options& options_;
  std::shared_ptr<Acl> acl_ = std::make_shared<Acl>();
  std::map<std::string, std::shared_ptr<const IpSet>> sets_;
  std::map<std::string, std::uint32_t> numbers_;
  std::vector<Acl::Problem> problems_;
};

tl::expected<std::shared_ptr<const Acl>, std::vector<Acl::Problem>> Acl::compile(
    const schema::WebAcl& source, const Options& options) {
  return AclCompiler(source, options).run();
}

const AclRule* Acl::find(std::string_view rule) const {
  const auto found = std::find_if(rules_.begin(), rules_.end(),
                                  [&](const AclRule& one) { return one.name == rule; });
  return found == rules_.end() ? nullptr : &*found;
}

std::size_t Acl::size_bytes() const {
  std::size_t size = 0;
  for (const FamilyPatterns& family : patterns_) size += family.set.size_bytes();
  return size;
}

}  // namespace headgate::guard::waf
