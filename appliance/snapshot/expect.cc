// SPDX-License-Identifier: MIT
#include "appliance/snapshot/expect.h"

#include <fmt/format.h>

#include <map>

#include "appliance/http/cookie.h"
#include "appliance/http/query.h"
#include "appliance/snapshot/answer.h"
#include "appliance/snapshot/request/cache_key.h"
#include "appliance/snapshot/request/offline_request.h"
#include "appliance/snapshot/request/origin_request.h"

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
  for (const auto& name : decision.behavior->cache_policy->headers) {
    if (name == "host") {
      map[name] = facts.authority;
    } else if (name.starts_with("cloudfront-")) {
      map[name] = viewer_fact(facts, name, memory);
    } else if (const auto value = http::find(facts.fields, name)) {
      map[name] = *value;
    }
  }
  return map;
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
    const RequestFacts facts = offline->facts(&scratch_);
    const Decision decision = decide(configuration_, facts, memory_);
    check_answer(decision, facts);
    if (decision.distribution != nullptr && decision.behavior != nullptr)
      check_route(decision, facts);
    return failure_;
  }

 private:
  template <class T, class U>
  void compare(std::string_view what, const T& expected, const U& got) {
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
      compare("reason", std::string_view(expected.reason),
              decision.reason == guard::Reason::None ? "none" : guard::code(decision.reason));
    if (!expected.rule.empty()) compare("rule", expected.rule, refusing_rule(decision));
    if (!expected.distribution.empty())
      compare("distribution", expected.distribution,
              decision.distribution == nullptr ? "none" : decision.distribution->name);
    const Map headers = answer_headers(decision, facts, memory_);
    for (const auto& [name, value] : expected.headers) {
      const auto found = headers.find(name);
      compare("header " + name, value, found == headers.end() ? "no such header" : found->second);
    }
    if (!expected.behavior.empty() && decision.behavior == nullptr)
      compare("behavior", expected.behavior, "none");
  }

  void check_route(const Decision& decision, const RequestFacts& facts) {
    const auto& expected = source_.expected;
    const Behavior& behavior = *decision.behavior;
    if (!expected.behavior.empty()) compare("behavior", expected.behavior, behavior.pattern.text());
    if (!expected.origin_id.empty()) compare("originId", expected.origin_id, behavior.target->id);
    if (expected.cached) compare("cached", *expected.cached, decision.uses_cache);
    if (expected.query)
      compare_maps("cacheKey.query", *expected.query, key_query(decision, memory_));
    if (expected.cookies)
      compare_maps("cacheKey.cookies", *expected.cookies, key_cookies(decision, facts, memory_));
    if (expected.key_headers)
      compare_maps("cacheKey.headers", *expected.key_headers,
                   key_headers(decision, facts, memory_));
    if (expected.ttl) {
      const Duration ttl = decision.uses_cache ? ttl_without_directives(behavior.cache_policy->ttl)
                                               : Duration::zero();
      compare("ttl", format_duration(*expected.ttl), format_duration(ttl));
    }
  }

  const Configuration& configuration_;
  const schema::ExpectCase& source_;
  std::pmr::monotonic_buffer_resource memory_;
  guard::waf::Scratch scratch_;
  std::optional<std::string> failure_;
};

void append_step(std::string& out, std::string_view topic, std::string_view text) {
  out += fmt::format("{:<20} {}\n", topic, text);
}

void explain_origin_request(std::string& out, const Decision& decision, const RequestFacts& facts,
                            std::pmr::memory_resource& memory) {
  const auto draft = draft_origin_request(decision, facts, false, nullptr, memory);
  const auto& member = decision.behavior->target->members.front();
  const auto request = address(draft, member);
  append_step(out, "origin request",
              fmt::format("{} {}://{}{}", request.method,
                          request.scheme == origin::Scheme::Https ? "https" : "http",
                          request.host_header, request.target));
  const auto& custom = decision.distribution->origins[member.index].custom_headers;
  for (const auto& field : request.fields.fields()) {
    bool secret = false;
    for (const auto& header : custom) secret = secret || header.name == field.name;
    append_step(out, "  header",
                fmt::format("{}: {}", field.name, secret ? "(secret)" : field.value));
  }
}

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

Result<std::string> explain(const Configuration& configuration, const ExplainRequest& request) {
  HG_TRY(OfflineRequest offline,
         OfflineRequest::make(request.method, request.url, request.headers, request.country,
                              request.ip, configuration.geo().get()),
         "explain");
  offline.set_body(request.body);
  guard::waf::Scratch scratch;
  const RequestFacts facts = offline.facts(&scratch);
  std::pmr::monotonic_buffer_resource memory;
  Trace trace;
  const Decision decision = decide(configuration, facts, memory, &trace);

  std::string out;
  append_step(out, "request", fmt::format("{} {}", request.method, request.url));
  append_step(out, "country", facts.country.known() ? facts.country.text() : "unknown");
  for (const auto& [topic, text] : trace.steps()) append_step(out, topic, text);
  if (decision.action == Decision::Action::Serve) {
    if (decision.uses_cache) {
      const auto& ttl = decision.behavior->cache_policy->ttl;
      append_step(
          out, "ttl",
          fmt::format(
              "{} without Cache-Control and Expires; else what these say, between {} and {}",
              format_duration(ttl_without_directives(ttl)), format_duration(ttl.min),
              format_duration(ttl.max)));
    }
    explain_origin_request(out, decision, facts, memory);
  }
  for (const auto& [name, value] : answer_headers(decision, facts, memory))
    append_step(out, "response header", name + ": " + value);
  return out;
}

}  // namespace headgate::snapshot
