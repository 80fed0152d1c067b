// SPDX-License-Identifier: MIT
// The OWASP CRS with an ACL's options, and its verdict about a request.
#include "appliance/guard/waf/rules/managed.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "appliance/guard/waf/crs/transaction.h"
#include "appliance/guard/waf/rules/evaluation.h"
#include "appliance/guard/waf/seclang/reader.h"
#include "appliance/guard/waf/seclang/targets.h"
#include "schema/text.h"

namespace headgate::guard::waf {
namespace {

/// Scores are added up, and one rule decides by the sum: the CRS's anomaly mode.
constexpr const char* kDefaultActions =
    "SecDefaultAction \"phase:1,log,pass\"\nSecDefaultAction \"phase:2,log,pass\"\n";

/// Whom no rule of the CRS could look at whole does not pass, with the ids of ModSecurity's
/// recommended configuration, so that they can be overridden like any rule. After the CRS: what it
/// has found is known, too.
constexpr const char* kLastRules = R"(
SecRule REQBODY_ERROR "!@eq 0" \
  "id:200002,phase:2,t:none,log,deny,msg:'The body is not what its type says',logdata:'%{REQBODY_ERROR_MSG}'"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" \
  "id:200003,phase:2,t:none,log,deny,msg:'The multipart body can be read in more than one way'"
SecRule INBOUND_DATA_ERROR "!@eq 0" \
  "id:200007,phase:2,t:none,log,deny,msg:'More arguments or cookies, or deeper ones, than are looked at'"
)";

struct TargetVariable {
  const char* name;
  const char* variable;
};
constexpr std::array<TargetVariable, 12> kVariables{{{"uri", "REQUEST_URI"},
                                                     {"path", "REQUEST_FILENAME"},
                                                     {"query", "QUERY_STRING"},
                                                     {"args", "ARGS"},
                                                     {"arg", "ARGS"},
                                                     {"form", "ARGS"},
                                                     {"json", "ARGS"},
                                                     {"headers", "REQUEST_HEADERS"},
                                                     {"header", "REQUEST_HEADERS"},
                                                     {"cookies", "REQUEST_COOKIES"},
                                                     {"cookie", "REQUEST_COOKIES"},
                                                     {"body", "REQUEST_BODY"}}};

/// "942100", "942100-942199", "tag:attack-sqli".
RuleSelection selection_of(const std::string& text) {
  RuleSelection selection;
  if (text.starts_with("tag:")) {
    selection.tag = text.substr(4);
    return selection;
  }
  const std::size_t dash = text.find('-');
  selection.first_id = std::stoi(text.substr(0, dash));  // digits: validated by schema/
  selection.last_id =
      dash == std::string::npos ? selection.first_id : std::stoi(text.substr(dash + 1));
  return selection;
}

Result<Target> target_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  for (const TargetVariable& known : kVariables)
    if (text.substr(0, colon) == known.name)
      return parse_target(known.variable + (colon == std::string::npos ? "" : text.substr(colon)));
  return fail(Blame::Config, "the rules of a group do not look at {}", text);
}

Status add_exclusions(const schema::WafExclusion& source, CrsOptions& options) {
  Exclusion exclusion;
  exclusion.rules = selection_of(source.rule);
  if (!source.target.empty()) {
    HG_TRY(exclusion.target, target_of(source.target), "exclude {}", source.rule);
    exclusion.whole_rule = false;
  }
  if (!source.path) {
    options.exclusions.push_back(std::move(exclusion));
    return {};
  }
  exclusion.match = source.path->matcher == schema::WafMatcher::Exact ? Exclusion::Path::Exact
                                                                      : Exclusion::Path::Prefix;
  for (const std::string& path : source.path->texts) {
    exclusion.path = path;
    options.exclusions.push_back(exclusion);
  }
  return {};
}

Result<CrsOptions> options_of(const schema::WafRule& rule) {
  CrsOptions options;
  options.paranoia = rule.managed->paranoia;
  options.inbound_threshold = rule.managed->inbound_threshold;
  options.outbound_threshold = rule.managed->outbound_threshold;
  for (const auto& [name, value] : rule.managed->setup)
    options.variables[schema::to_lower(name)] = value;
  for (const auto& [ids, what] : rule.overrides) {
    Override override;
    override.rules = selection_of(ids);
    override.mode = what == "off" ? Override::Mode::Off : Override::Mode::Count;
    options.overrides.push_back(std::move(override));
  }
  for (const schema::WafExclusion& exclusion : rule.exclude)
    if (Status added = add_exclusions(exclusion, options); !added)
      return tl::unexpected<Error>(std::move(added.error()));
  return options;
}

/// All that the options say, to know them again.
std::string text_of(const schema::WafRule& rule) {
  std::string text = fmt::format("{} {} {} {}", rule.managed->group, rule.managed->paranoia,
                                 rule.managed->inbound_threshold, rule.managed->outbound_threshold);
  for (const auto& [name, value] : rule.managed->setup)
    text += fmt::format("\nset {} {}", name, value);
  for (const auto& [ids, what] : rule.overrides) text += fmt::format("\nover {} {}", ids, what);
  for (const schema::WafExclusion& exclusion : rule.exclude) {
    text += fmt::format("\nwithout {} {}", exclusion.rule, exclusion.target);
    if (exclusion.path)
      text += fmt::format(" {} {}", static_cast<int>(exclusion.path->matcher),
                          schema::join(exclusion.path->texts, "\n "));
  }
  return text;
}

}  // namespace

Result<std::shared_ptr<const RuleSet>> load_managed(const schema::WafRule& rule, Shared* shared,
                                                    const std::string& patterns) {
  const std::string text = text_of(rule);
  if (shared != nullptr)
    if (auto known = shared->find_rule_set(text)) return known;
  std::error_code error;
  if (!std::filesystem::is_directory(kCrsFolder, error))
    return fail(Blame::Config,
                "the OWASP CRS is not installed: {} is no folder; install the package "
                "modsecurity-crs",
                kCrsFolder);
  HG_TRY(const CrsOptions options, options_of(rule), "{}", rule.managed->group);
  const auto files = rule_files_on_disk();
  Reader reader(*files);
  reader.read_text(kDefaultActions, "defaults");
  reader.read(kCrsFolder);
  reader.read_text(kLastRules, "last rules");
  if (!reader.problems().empty())
    return fail(Blame::Config, "{} problems in the CRS, the first: {}", reader.problems().size(),
                reader.problems().front().text());
  std::unique_ptr<Prescan::Cache> cache;
  if (!patterns.empty()) {
    std::filesystem::create_directories(patterns, error);  // without it there is no cache
    cache = pattern_cache_on_disk(patterns);
  }
  auto compiled = RuleSet::compile(reader.take_program(), options, cache.get());
  if (compiled && shared != nullptr) shared->remember_rule_set(text, *compiled);
  return compiled;
}

/// Runs a managed group over the request; the body belongs to what it looks at.
Truth Evaluation::run_managed(const AclRule& rule) {
  if (view_.body_state == View::Body::Pending) return Truth::Unknown;
  std::vector<Header> headers;
  if (!view_.authority.empty()) headers.push_back({"Host", view_.authority});
  for (const http::Field& field : view_.fields) headers.push_back({field.name, field.value});
  Request request;
  request.method = view_.method;
  request.target = view_.target;
  const TargetParts parts = split_target(view_.target);
  request.path = parts.path;
  request.query = parts.query;
  request.protocol = view_.protocol;
  request.headers = headers;
  request.client = view_.client;
  Environment environment{scratch_.workspace_,
                          acl_.shared_ == nullptr ? nullptr : &acl_.shared_->collections(),
                          [this](const base::IpAddress& address) {
                            return std::string(address == view_.client ? view_.country.text() : "");
                          },
                          view_.request_id,
                          view_.now,
                          view_.path};
  Transaction transaction(*rule.managed, environment, request);
  Decision decision = transaction.request_headers();
  if (decision.what == Decision::What::Continue)
    decision = transaction.request_body(view_.body, view_.body_state != View::Body::Beginning);
  transaction.log();
  clock_runs_ = false;
  note_group(rule, transaction);
  const bool denied =
      decision.what == Decision::What::Deny || decision.what == Decision::What::Drop;
  exhausted_ = !denied && (decision.what == Decision::What::Exhausted || transaction.exhausted());
  return denied ? Truth::Yes : Truth::No;
}

/// Ids of its rules that matched become names of what matched, and labels.
void Evaluation::note_group(const AclRule& rule, const Transaction& transaction) {
  for (const Match& match : transaction.matches()) {
    if (!match.logged) continue;
    const std::string id = fmt::format("{}", match.rule->id);
    inspection_.matched.push_back(persist(id));
    inspection_.labels.push_back(persist("owasp-crs:" + id));
    if (trace_ != nullptr)
      (*trace_)(fmt::format("rule {}: {} matches {}, which is {} after its transformations{}{}",
                            rule.name, id, match.variable, schema::in_quotes(match.value),
                            match.message.empty() ? "" : ": ", match.message));
  }
}

std::string_view Evaluation::persist(const std::string& text) {
  auto* copy = static_cast<char*>(memory_.allocate(text.size() + 1, 1));
  text.copy(copy, text.size());
  return {copy, text.size()};
}

}  // namespace headgate::guard::waf
