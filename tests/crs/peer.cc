// SPDX-License-Identifier: MIT
// Drives libmodsecurity.
#include "tests/crs/peer.h"

#include <fmt/format.h>
#include <modsecurity/intervention.h>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rule_message.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

#include <cstdlib>

namespace headgate::crs_test {

struct Peer::State {
  modsecurity::ModSecurity engine;
  modsecurity::RulesSet rules;
  std::set<std::string> matched;
};

namespace {

constexpr const char* kSetup = R"(
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecPcreMatchLimit 100000
SecPcreMatchLimitRecursion 100000
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" \
  "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" \
  "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecDefaultAction "phase:1,log,pass"
SecDefaultAction "phase:2,log,pass"
)";

constexpr const char* kVariables =
    "SecAction \"id:900000,phase:1,nolog,pass,t:none,setvar:tx.paranoia_level={0},"
    "setvar:tx.executing_paranoia_level={0},setvar:tx.crs_validate_utf8_encoding=1,"
    "setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.crs_setup_version=334\"\n";

// The rule that denies is in no log of its; with anomaly scores it is always the same one.
void note_denial(modsecurity::Transaction& transaction, std::set<std::string>& matched) {
  modsecurity::ModSecurityIntervention_t told{};
  modsecurity::intervention::reset(&told);
  if (transaction.intervention(&told) && told.disruptive) matched.insert("949110");
  modsecurity::intervention::free(&told);
}

}  // namespace

Peer::Peer(const std::string& rules_folder, int paranoia) : state_(std::make_unique<State>()) {
  const std::string text = kSetup + fmt::format(fmt::runtime(kVariables), paranoia) +
                           fmt::format("Include {}/*.conf\n", rules_folder);
  if (state_->rules.load(text.c_str()) < 0) {
    fmt::print(stderr, "libmodsecurity: {}\n", state_->rules.m_parserError.str());
    std::exit(2);
  }
  state_->engine.setServerLogCb(
      [](void* matched, const void* message) {
        const auto* const rule = static_cast<const modsecurity::RuleMessage*>(message);
        static_cast<std::set<std::string>*>(matched)->insert(std::to_string(rule->m_ruleId));
      },
      modsecurity::RuleMessageLogProperty);
}

Peer::~Peer() = default;

std::set<std::string> Peer::evaluate(const WireRequest& request) {
  state_->matched.clear();
  modsecurity::Transaction transaction(&state_->engine, &state_->rules, &state_->matched);
  transaction.processConnection("127.0.0.1", 40000, "127.0.0.1", 80);
  const std::string version =
      request.protocol.starts_with("HTTP/") ? request.protocol.substr(5) : request.protocol;
  transaction.processURI(request.target.c_str(), request.method.c_str(), version.c_str());
  for (const auto& [name, value] : request.headers) transaction.addRequestHeader(name, value);
  transaction.processRequestHeaders();
  transaction.appendRequestBody(reinterpret_cast<const unsigned char*>(request.body.data()),
                                request.body.size());
  transaction.processRequestBody();
  note_denial(transaction, state_->matched);
  transaction.processResponseHeaders(200, "HTTP/1.1");
  transaction.processResponseBody();
  transaction.processLogging();
  return state_->matched;
}

}  // namespace headgate::crs_test
