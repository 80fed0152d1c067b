// SPDX-License-Identifier: MIT
#include "appliance/snapshot/offline/expect.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "appliance/http/cookie.h"
#include "appliance/http/query.h"
#include "appliance/snapshot/offline/answer.h"
#include "appliance/snapshot/offline/offline_request.h"
#include "appliance/snapshot/request/cache_key.h"
#include "schema/text.h"

namespace headgate::snapshot {
namespace {

using Map = std::map<std::string, std::string>;

std::string text_of(const Map& map) {
  std::string text;
  for (const auto& [name, value] : map)
    text += fmt::format("{}{}: \"{}\"", text.empty() ? "" : ", ", name, value);
  return "{" + text + "}";
}

Map key_query(const Decision& decision, std::pmr::memory_resource& memory) {
  Map map;
  http::QueryPair pair;
  const auto selected =
      select_query(decision.query, decision.behavior->cache_policy->query_strings, memory);
  for (http::QueryReader reader(selected); reader.next(pair);)
    map[std::string(pair.name)] = pair.value;
  return map;
}

Map key_cookies(const Decision& decision, const RequestFacts& facts,
                std::pmr::memory_resource& memory) {
  Map map;
  http::CookiePair pair;
  const auto selected =
      select_cookies(facts.fields, decision.behavior->cache_policy->cookies, memory);
  for (http::CookieReader reader(selected); reader.next(pair);)
    map[std::string(pair.name)] = pair.value;
  return map;
}

Map key_headers(const Decision& decision, const RequestFacts& facts,
                std::pmr::memory_resource& memory) {
  Map map;
  for (const auto& name : decision.behavior->cache_policy->headers)
    if (const auto value = key_header(decision, facts, name, memory)) map[name] = *value;
  // As the key has it: see make_cache_key.
  if (!decision.accept_encoding.empty() && decision.behavior->codings.empty())
    map["accept-encoding"] = decision.accept_encoding;
  return map;
}

std::string_view text_of(bool value) { return value ? "true" : "false"; }

std::string text_of(const std::vector<std::string>& list) {
  return fmt::format("[{}]", schema::join(list));
}

template <class List>
std::vector<std::string> texts_of(const List& list) {
  return {list.begin(), list.end()};
}

std::vector<std::string> sorted(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

std::string_view name_of(schema::ExpectCase::Certificate state) {
  using Certificate = schema::ExpectCase::Certificate;
  switch (state) {
    case Certificate::Valid:
      return "valid";
    case Certificate::Expired:
      return "expired";
    case Certificate::NotYetValid:
      return "notYetValid";
    case Certificate::OtherHost:
      return "otherHost";
    case Certificate::SelfSigned:
      return "selfSigned";
  }
  return "";
}

/// By the chain in the repository: its key is none of this one's business, and may be elsewhere.
Result<schema::ExpectCase::Certificate> certificate_state(const Configuration& configuration,
                                                          const Decision& decision,
                                                          base::WallTime at) {
  using Certificate = schema::ExpectCase::Certificate;
  const auto& certificates = configuration.model().certificates;
  const auto found =
      certificates.find(decision.distribution->source->viewer_certificate.certificate_ref);
  if (found == certificates.end()) return Certificate::SelfSigned;
  HG_TRY(const Validity validity,
         validity_for(found->second->chain_pem, std::string(decision.host)), "{}", found->first);
  if (at < validity.not_before) return Certificate::NotYetValid;
  if (at > validity.not_after) return Certificate::Expired;
  return validity.names_host ? Certificate::Valid : Certificate::OtherHost;
}

/// One case; the first thing that differs from what was expected, in words, or nothing.
class CaseRun {
 public:
  CaseRun(const Configuration& configuration, const schema::ExpectCase& source)
      : configuration_(configuration), source_(source) {}

  std::optional<std::string> run() {
    const auto& request = source_.request;
    auto offline = OfflineRequest::make(request.method, request.url, request.headers,
                                        request.country, request.ip, configuration_.geo().get());
    if (!offline) return offline.error().context;
    offline->set_body(request.body);
    offline->set_time(request.at);
    const RequestFacts facts = offline->facts(&scratch_);
    const Decision decision = decide(configuration_, facts, memory_);
    check_answer(decision, facts);
    if (decision.action == Decision::Action::Serve) {
      check_route(decision, facts);
    } else {
      check_unrouted(decision);
    }
    return failure_;
  }

 private:
  void compare(std::string_view what, std::string_view expected, std::string_view got) {
    if (!failure_ && expected != got)
      failure_ = fmt::format("{}: expected {}, got {}", what, expected, got);
  }
  void compare_maps(std::string_view what, const Map& expected, const Map& got) {
    if (expected != got) compare(what, text_of(expected), text_of(got));
  }

  void check_answer(const Decision& decision, const RequestFacts& facts) {
    const auto& expected = source_.expected;
    if (expected.status) {
      const bool serves = decision.action == Decision::Action::Serve;
      compare("status", std::to_string(*expected.status),
              serves ? "a request to origin " + decision.behavior->target->id
                     : std::to_string(decision.status));
    }
    if (!expected.reason.empty())
      compare("reason", expected.reason,
              decision.reason == guard::Reason::None ? "none" : guard::code(decision.reason));
    check_web_acl(decision);
    if (!expected.distribution.empty())
      compare("distribution", expected.distribution,
              decision.distribution == nullptr ? "none" : decision.distribution->name);
    if (expected.certificate) check_certificate(decision);
    const Map headers = answer_headers(decision, facts, memory_);
    for (const auto& [name, value] : expected.headers) {
      const auto found = headers.find(name);
      compare("header " + name, value, found == headers.end() ? "no such header" : found->second);
    }
    if (!expected.behavior.empty())
      compare("behavior", expected.behavior,
              decision.behavior == nullptr ? "none" : decision.behavior->pattern.text());
  }

  void check_web_acl(const Decision& decision) {
    const auto& expected = source_.expected;
    if (!expected.rule.empty()) compare("rule", expected.rule, refusing_rule(decision));
    std::vector<std::string> rules, labels;
    if (decision.inspection != nullptr) {
      rules = texts_of(decision.inspection->matched);
      labels = texts_of(decision.inspection->labels);
    }
    if (expected.matched_rules)
      compare("matchedRules", text_of(*expected.matched_rules), text_of(rules));
    if (expected.labels)
      compare("labels", text_of(sorted(*expected.labels)), text_of(sorted(labels)));
  }

  void check_certificate(const Decision& decision) {
    std::string got = "none";
    if (decision.distribution != nullptr) {
      const auto state = certificate_state(configuration_, decision,
                                           source_.request.at.value_or(base::wall_now()));
      got = state ? name_of(*state) : state.error().context;
    }
    compare("certificate", name_of(*source_.expected.certificate), got);
  }

  /// What a request has that goes on to the cache and an origin, an answer of the edge's has not.
  void check_unrouted(const Decision& decision) {
    const auto& expected = source_.expected;
    const std::string got = fmt::format("an answer {} of the edge", decision.status);
    if (!expected.origin_id.empty()) compare("originId", expected.origin_id, got);
    if (expected.cached.value_or(false)) compare("cached", text_of(true), got);
    if (expects_key()) compare("cacheKey", "one", got);
    if (expected.ttl && *expected.ttl != Duration::zero())
      compare("ttl", format_duration(*expected.ttl), got);
  }

  void check_route(const Decision& decision, const RequestFacts& facts) {
    const auto& expected = source_.expected;
    const Behavior& behavior = *decision.behavior;
    if (!expected.origin_id.empty()) compare("originId", expected.origin_id, behavior.target->id);
    if (expected.cached) compare("cached", text_of(*expected.cached), text_of(decision.uses_cache));
    check_key(decision, facts);
    if (expected.ttl) {
      const Duration ttl = decision.uses_cache ? ttl_without_directives(behavior.cache_policy->ttl)
                                               : Duration::zero();
      compare("ttl", format_duration(*expected.ttl), format_duration(ttl));
    }
  }

  bool expects_key() const {
    const auto& expected = source_.expected;
    return !expected.key_host.empty() || !expected.key_path.empty() || expected.key_device ||
           expected.query || expected.cookies || expected.key_headers;
  }

  void check_key(const Decision& decision, const RequestFacts& facts) {
    const auto& expected = source_.expected;
    if (!decision.uses_cache) {
      if (expects_key()) compare("cacheKey", "one", "a request that the cache is not used for");
      return;
    }
    if (!expected.key_host.empty()) {
      const auto& member = decision.behavior->target->members.front();
      compare("cacheKey.host", expected.key_host,
              host_for_origin(decision, facts, decision.distribution->origins[member.index]));
    }
    if (!expected.key_path.empty()) compare("cacheKey.path", expected.key_path, decision.path);
    if (expected.key_device) compare("cacheKey.device", *expected.key_device, decision.device);
    if (expected.query)
      compare_maps("cacheKey.query", *expected.query, key_query(decision, memory_));
    if (expected.cookies)
      compare_maps("cacheKey.cookies", *expected.cookies, key_cookies(decision, facts, memory_));
    if (expected.key_headers)
      compare_maps("cacheKey.headers", *expected.key_headers,
                   key_headers(decision, facts, memory_));
  }

  const Configuration& configuration_;
  const schema::ExpectCase& source_;
  std::pmr::monotonic_buffer_resource memory_;
  guard::waf::Scratch scratch_;
  std::optional<std::string> failure_;
};

}  // namespace

ExpectReport run_expectations(const Configuration& configuration) {
  ExpectReport report;
  for (const auto& expect : configuration.model().expects) {
    for (const auto& source : expect->cases) {
      ++report.cases;
      auto failure = CaseRun(configuration, source).run();
      if (!failure) continue;
      report.failures.push_back({expect->file, source.line, expect->name,
                                 source.request.method + " " + source.request.url,
                                 std::move(*failure)});
    }
  }
  return report;
}

}  // namespace headgate::snapshot
