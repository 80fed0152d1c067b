// SPDX-License-Identifier: MIT
#include "appliance/snapshot/offline/explain.h"

#include <fmt/format.h>

#include "appliance/snapshot/offline/answer.h"
#include "appliance/snapshot/offline/offline_request.h"
#include "appliance/snapshot/request/origin_request.h"

namespace headgate::snapshot {
namespace {

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

Result<std::string> explain(const Configuration& configuration, const ExplainRequest& request) {
  HG_TRY(OfflineRequest offline,
         OfflineRequest::make(request.method, request.url, request.headers, request.country,
                              request.ip, configuration.geo().get()),
         "explain");
  offline.set_body(request.body);
  offline.set_time(request.at);
  guard::waf::Scratch scratch;
  const RequestFacts facts = offline.facts(&scratch);
  std::pmr::monotonic_buffer_resource memory;
  Trace trace;
  const Decision decision = decide(configuration, facts, memory, &trace);

  std::string out;
  append_step(out, "request", fmt::format("{} {}", request.method, request.url));
  if (request.at) append_step(out, "time", format_timestamp(*request.at));
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
