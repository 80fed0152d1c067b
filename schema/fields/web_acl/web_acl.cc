// SPDX-License-Identifier: MIT
// Fields of `kind: WebACL`: rules in their order, and what they share.
#include "schema/validate/web_acl.h"

#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"
#include "schema/fields/web_acl/choices.h"
#include "schema/fields/web_acl/parts.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxRules = 1000;
constexpr std::size_t kMaxBots = 64;
constexpr int kMaxRateLimit = 1'000'000;

const Type& rate_type() {
  static const Object<WafRate> type(
      "WafRate", "Matches requests beyond `limit` of one key within any `window`.",
      [](Object<WafRate>& o) {
        o.field("limit", &WafRate::limit,
                "How many requests of a key pass within any window; those that do not pass are not "
                "counted.")
            .required()
            .range(1, kMaxRateLimit);
        o.field("window", &WafRate::window, "The length of the sliding window.")
            .range(std::chrono::seconds(1), std::chrono::hours(24));
        o.field("key", &WafRate::key,
                "What tells clients apart, all of it together: `ip`, `forwarded_ip[:HEADER]`, "
                "`header:NAME`, `cookie:NAME`, `arg:NAME`, `path`, `method`, `country`, `asn`, "
                "`ja3`, `ja4`, `label:NAMESPACE:`.")
            .items(1, 5)
            .format(kWafRateKey)
            .unique()
            .default_text("[ip]");
        o.field("ipv6Prefix", &WafRate::ipv6_prefix,
                "IPv6 addresses that agree in so many bits are one client.")
            .range(32, 128);
        o.field("when", &WafRate::when, optional_waf_statement_type(),
                "Which requests count; without it all.");
      });
  static const OptionalOf<WafRate> optional(type);
  return optional;
}

const Type& managed_type() {
  static const TextChoice groups({"owasp-crs"});
  static const Object<WafManaged> type(
      "WafManaged", "A group of rules that others maintain.", [](Object<WafManaged>& o) {
        o.field("group", &WafManaged::group, groups,
                "`owasp-crs`: the OWASP Core Rule Set of Debian's package modsecurity-crs.")
            .required();
        o.field("paranoia", &WafManaged::paranoia, "The CRS's paranoia level.").range(1, 4);
        o.nest("threshold", "WafThreshold", "Anomaly scores at which the group matches.",
               [](Object<WafManaged>& t) {
                 t.field("inbound", &WafManaged::inbound_threshold, "Of a request.")
                     .range(1, 1'000'000);
                 t.field("outbound", &WafManaged::outbound_threshold, "Of a response.")
                     .range(1, 1'000'000);
               });
        o.field("setup", &WafManaged::setup,
                "The CRS's own `tx` variables: `arg_length: 400`, `allowed_methods: GET POST`.");
      });
  static const OptionalOf<WafManaged> optional(type);
  return optional;
}

const Type& exclusions_type() {
  static const Object<WafExclusion> type(
      "WafExclusion", "What a rule of a managed group does not look at.",
      [](Object<WafExclusion>& o) {
        o.field("rule", &WafExclusion::rule,
                "Its id, a range of ids `942100-942199`, or `tag:NAME`.")
            .required()
            .format(kWafRuleIds);
        o.field("target", &WafExclusion::target, "`arg:q`, …; without it the whole rule.")
            .format(kWafTarget);
        o.field("path", &WafExclusion::path, optional_waf_path_type(),
                "On which paths; without it on all.");
      });
  static const ListOf<WafExclusion> list(type);
  return list;
}

void rule_fields(Object<WafRule>& o) {
  o.field("name", &WafRule::name, "What logs, metrics and answers call the rule.")
      .required()
      .format(kResourceName);
  o.field("when", &WafRule::when, optional_waf_statement_type(),
          "Which requests the rule is for; without it all.");
  o.field("rate", &WafRule::rate, rate_type(), "Matches requests that come too fast.");
  o.field("managed", &WafRule::managed, managed_type(), "Matches what a managed group matches.");
  o.field("override", &WafRule::overrides,
          "Rules of the managed group that only count, or are off: `\"942100\": count`.")
      .keys(kWafRuleIds);
  o.field("exclude", &WafRule::exclude, exclusions_type(),
          "What rules of the managed group do not look at.");
  o.field("labels", &WafRule::labels, "Labels that requests get which the rule matches.")
      .items(0, 16)
      .format(kWafLabel)
      .unique();
  o.field("action", &WafRule::action, optional_waf_action_type(),
          "What happens to requests that the rule matches; required except with `managed`, where "
          "`block` is the default.");
  o.check([](WafRule& rule, const Node& node, Decoder&) {
    rule.line = static_cast<int>(node.mark.line);
  });
}

const Type& rules_type() {
  static const Object<WafRule> type(
      "WafRule", "One rule: the first whose action ends the matter counts.", rule_fields);
  static const ListOf<WafRule> list(type);
  return list;
}

const Type& challenge_secret_type() {
  static const SecretType secret(false);
  static const OptionalOf<Secret> optional(secret);
  return optional;
}

void spec_fields(Object<WebAcl>& o) {
  o.field("comment", &WebAcl::comment, "For people.").max_length(1024);
  o.field("ipSets", &WebAcl::ip_sets, waf_ip_sets_type(),
          "Named sets of networks, written here or in a file of the repository: one a line, or the "
          "JSON in which crawlers publish theirs.");
  o.field(
       "bots", &WebAcl::bots, waf_bots_type(),
       "Crawlers that requests may say they are, each the name of a known one or a map. Requests "
       "that do have the labels `bot:verified` and `bot:verified:NAME`, `bot:unverified…` or, "
       "until DNS has answered, `bot:pending…` before the first rule.")
      .items(0, kMaxBots);
  o.nest("body", "WafBody", "How far bodies are looked at.", [](Object<WebAcl>& b) {
    b.field("inspect", &WebAcl::inspect,
            "How many octets are held back and looked at, when a rule asks for the body.")
        .range(1024, 8 << 20);
    b.field("oversize", &WebAcl::oversize, "What a longer body means to statements about bodies.");
    b.field("response", &WebAcl::response,
            "How many octets of a response that comes from an origin managed groups hold back and "
            "look at, when it is text; `0B`: they do not look at responses.")
        .range(0, 8 << 20);
    b.field("responseOversize", &WebAcl::response_oversize,
            "What a longer one means to them: its beginning is looked at, it is refused, or only "
            "its head is looked at.");
  });
  o.field("defaultAction", &WebAcl::default_action, waf_action_type(),
          "What happens to requests that no rule has decided about: `allow` or `block`.")
      .default_text("allow");
  o.nest("challenge", "WafChallengeSecret", "What challenges share.", [](Object<WebAcl>& c) {
    c.field("secret", &WebAcl::challenge_secret, challenge_secret_type(),
            "What proofs are signed with, at least 16 octets: the same on every edge makes a proof "
            "good on all of them. Without it each edge makes its own when it starts.");
  });
  o.field("rules", &WebAcl::rules, rules_type(), "The rules, in their order.")
      .required()
      .items(1, kMaxRules);
  o.check(check_web_acl);
}

}  // namespace

const ObjectType& web_acl_table() {
  static const Object<WebAcl> table(
      "WebACL", "Ordered rules that requests have to pass before anything is served.",
      [](Object<WebAcl>& o) {
        envelope(o, "WebACL", Labels::No);
        o.nest("spec", "WebACLSpec", "Rules and what they share.", spec_fields);
        o.check([](WebAcl& acl, const Node&, Decoder& decoder) { acl.file = decoder.file(); });
      });
  return table;
}

}  // namespace headgate::schema
