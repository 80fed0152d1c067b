// SPDX-License-Identifier: MIT
#include "appliance/snapshot/offline/answer.h"

namespace headgate::snapshot {

Duration ttl_without_directives(const http::TtlPolicy& policy) {
  http::CacheDirectives silent;
  silent.heuristics_allowed = true;
  return http::freshness_lifetime(silent, policy);
}

std::string refusing_rule(const Decision& decision) {
  const bool refused = decision.inspection != nullptr && decision.inspection->rule != nullptr &&
                       decision.action == Decision::Action::Deny;
  return refused ? decision.inspection->rule->name : "none";
}

HeaderMap answer_headers(const Decision& decision, const RequestFacts& facts,
                         std::pmr::memory_resource& memory) {
  HeaderMap headers;
  if (decision.action == Decision::Action::Redirect) headers["location"] = decision.location;
  if (decision.reason == guard::Reason::Method && decision.status == 405)
    headers["allow"] = decision.behavior->allow;
  if (decision.inspection != nullptr && decision.inspection->action != nullptr &&
      decision.action == Decision::Action::Deny)
    for (const auto& [name, value] : decision.inspection->action->headers) headers[name] = value;
  if (decision.behavior != nullptr && decision.behavior->response_headers_policy != nullptr) {
    std::pmr::vector<http::Field> lines(&memory);
    apply(*decision.behavior->response_headers_policy, facts.fields, {}, lines);
    for (const auto& line : lines) headers[std::string(line.name)] = line.value;
  }
  return headers;
}

}  // namespace headgate::snapshot
