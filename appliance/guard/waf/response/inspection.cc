// SPDX-License-Identifier: MIT
// A response through the response phases of the CRS.
#include "appliance/guard/waf/response/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "appliance/guard/waf/crs/transaction.h"
#include "appliance/guard/waf/rules/scratch.h"

namespace headgate::guard::waf {
namespace {

using schema::WafAction;
using schema::WafOversize;

constexpr std::array<std::string_view, 3> kTextTypes = {"text/plain", "text/html", "text/xml"};

/// Whether a group that matches a response keeps it from the viewer. A challenge comes too late.
bool refuses(const AclRule& rule) {
  return rule.action.kind == WafAction::Kind::Block ||
         rule.action.kind == WafAction::Kind::Challenge;
}

void tally(const AclRule& rule, RuleEffect effect) {
  if (rule.tally != nullptr) rule.tally->add(effect);
}

std::vector<Header> headers_of(http::Fields fields) {
  std::vector<Header> headers;
  headers.reserve(fields.size() + 1);
  for (const http::Field& field : fields) headers.push_back({field.name, field.value});
  return headers;
}

}  // namespace

ResponseInspection::ResponseInspection(const Acl& acl, const View& request, Scratch& scratch)
    : acl_(acl),
      scratch_(scratch),
      method_(request.method),
      target_(request.target),
      path_(request.path),
      protocol_(request.protocol),
      authority_(request.authority),
      request_id_(request.request_id),
      fields_(request.fields),
      client_(request.client),
      country_(request.country) {}

bool ResponseInspection::reads_body(http::Fields response) {
  const auto field = http::find(response, "content-type");
  if (!field) return true;
  const std::string_view type = http::trim(field->substr(0, field->find(';')));
  return std::any_of(kTextTypes.begin(), kTextTypes.end(), [&](std::string_view known) {
    return http::equals_ignoring_case(type, known);
  });
}

ResponseVerdict ResponseInspection::judge(const ResponseView& response) const {
  ResponseVerdict verdict;
  const bool longer = response.body_state == ResponseView::Body::Beginning;
  for (const AclRule& rule : acl_.rules()) {
    if (rule.managed == nullptr) continue;
    if (response.body_state == ResponseView::Body::Unread) tally(rule, RuleEffect::ResponseUnread);
    Outcome outcome = run(rule, response, verdict.matched);
    if (outcome == Outcome::Exhausted) tally(rule, RuleEffect::Exhausted);
    const bool unseen = longer || outcome == Outcome::Exhausted;
    if (outcome != Outcome::Match && unseen && oversize() == WafOversize::Match)
      outcome = Outcome::Match;
    if (outcome != Outcome::Match) continue;
    tally(rule, refuses(rule) ? RuleEffect::ResponseBlock : RuleEffect::ResponseCount);
    if (!refuses(rule)) continue;
    verdict.refused_by = &rule;
    break;
  }
  return verdict;
}

ResponseInspection::Outcome ResponseInspection::run(const AclRule& rule,
                                                    const ResponseView& response,
                                                    std::string& matched) const {
  std::vector<Header> request_headers = headers_of(fields_.fields());
  request_headers.push_back({"Host", authority_});
  const TargetParts parts = split_target(target_);
  Request request;
  request.method = method_;
  request.target = target_;
  request.path = parts.path;
  request.query = parts.query;
  request.protocol = protocol_;
  request.headers = request_headers;
  request.client = client_;
  // What the groups keep about clients was counted when the request came.
  const Environment environment{
      .workspace = scratch_.workspace_,
      .store = nullptr,
      .country =
          [this](const base::IpAddress& address) {
            return std::string(address == client_ ? country_.text() : "");
          },
      .unique_id = request_id_,
      .now = base::mono_now(),
      .canonical_path = path_,
  };
  Transaction transaction(*rule.managed, environment, request);
  static_cast<void>(transaction.request_headers());  // scores, exclusions; the rest was judged then
  const std::size_t of_request = transaction.matches().size();

  const std::vector<Header> headers = headers_of(response.fields);
  const bool is_read =
      response.body_state != ResponseView::Body::Beginning || oversize() != WafOversize::NoMatch;
  Response seen;
  seen.status = response.status;
  seen.protocol = response.http2 ? "HTTP/2" : "HTTP/1.1";
  seen.headers = headers;
  seen.body = is_read ? response.body : std::string_view();
  seen.body_whole = response.body_state == ResponseView::Body::Whole;
  Decision decision = transaction.response_headers(seen);
  if (decision.what == Decision::What::Continue) decision = transaction.response_body(seen.body);
  for (std::size_t i = of_request; i < transaction.matches().size(); ++i) {
    const Match& match = transaction.matches()[i];
    if (!match.logged) continue;
    matched += fmt::format("{}{}", matched.empty() ? "" : ",", match.rule->id);
  }
  if (decision.what == Decision::What::Deny || decision.what == Decision::What::Drop)
    return Outcome::Match;
  return decision.what == Decision::What::Exhausted ? Outcome::Exhausted : Outcome::Pass;
}

}  // namespace headgate::guard::waf
