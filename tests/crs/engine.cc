// SPDX-License-Identifier: MIT
// Loads the CRS and evaluates.
#include "tests/crs/engine.h"

#include <fmt/format.h>

#include <cstdlib>

#include "appliance/guard/waf/seclang/reader.h"

namespace headgate::crs_test {

using namespace guard::waf;

std::shared_ptr<const RuleSet> load_crs(const std::string& folder, const CrsOptions& options,
                                        const std::string& cache_folder) {
  const auto files = rule_files_on_disk();
  Reader reader(*files);
  reader.read_text("SecDefaultAction \"phase:1,log,pass\"\nSecDefaultAction \"phase:2,log,pass\"\n",
                   "defaults");
  reader.read(folder);
  for (const Problem& problem : reader.problems()) fmt::print(stderr, "{}\n", problem.text());
  if (!reader.problems().empty()) std::exit(2);
  const auto cache = cache_folder.empty() ? nullptr : pattern_cache_on_disk(cache_folder);
  auto rules = RuleSet::compile(reader.take_program(), options, cache.get());
  if (!rules) {
    fmt::print(stderr, "{}\n", rules.error().context);
    std::exit(2);
  }
  return *rules;
}

CrsOptions regression_options(int paranoia) {
  CrsOptions options;
  options.paranoia = paranoia;
  options.variables = {
      {"crs_validate_utf8_encoding", "1"}, {"arg_name_length", "100"}, {"arg_length", "400"}};
  return options;
}

Outcome evaluate(const RuleSet& rules, Workspace& workspace, const WireRequest& wire) {
  std::vector<Header> headers;
  for (const auto& [name, value] : wire.headers) headers.push_back({name, value});
  Request request;
  request.method = wire.method;
  request.target = wire.target;
  const TargetParts parts = split_target(wire.target);
  request.path = parts.path;
  request.query = parts.query;
  request.protocol = wire.protocol;
  request.headers = headers;
  request.client = *base::IpAddress::parse("127.0.0.1");
  Environment environment{workspace, nullptr, {}, "unique", base::mono_now(), request.path};
  Transaction transaction(rules, environment, request);
  Outcome outcome;
  outcome.decision = transaction.request_headers();
  if (outcome.decision.what == Decision::What::Continue)
    outcome.decision = transaction.request_body(wire.body, true);
  if (outcome.decision.what == Decision::What::Continue) {
    Response response;
    response.status = 200;
    response.protocol = "HTTP/1.1";
    transaction.response_headers(response);
    transaction.response_body("");
  }
  transaction.log();
  for (const Match& match : transaction.matches()) {
    if (match.logged) outcome.rules.insert(std::to_string(match.rule->id));
  }
  outcome.matches = transaction.matches();
  return outcome;
}

}  // namespace headgate::crs_test
