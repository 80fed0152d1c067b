// SPDX-License-Identifier: MIT
// A request's way through a web ACL: its body is held back as far as rules look at it, and who is
// refused is told so. See exchange.h.
#include <fmt/format.h>

#include <algorithm>

#include "appliance/guard/waf/challenge/challenge.h"
#include "appliance/server/exchange/exchange.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

using guard::Reason;
using observe::CacheOutcome;

bool accepts_html(http::Fields fields) {
  for (const auto& field : fields) {
    if (field.name != "accept") continue;
    std::string_view rest = field.value;
    for (std::string_view member; http::next_list_member(rest, member);)
      if (http::equals_ignoring_case(http::trim(member.substr(0, member.find(';'))), "text/html"))
        return true;
  }
  return false;
}

bool has_own_answer(const schema::WafAction& action) {
  return !action.body.empty() || !action.headers.empty();
}

}  // namespace

void Exchange::inspect_body() {
  if (!accept_upload()) return;
  upload_->hold(
      decision_.behavior->web_acl->inspected_octets(),
      guard::HeldBodies::Share(worker_.commons().held_bodies), [this] { on_body_held(); },
      [] {});  // libh2o has answered, or closes
}

void Exchange::on_body_held() {
  using Body = guard::waf::View::Body;
  if (upload_->lacks_room()) {
    worker_.metrics().limit_exceeded(guard::Limit::MaxHeldBodies);
    return respond_error(503, Reason::Overloaded, guard::proxy_error(Reason::Overloaded),
                         guard::code(Reason::Overloaded));
  }
  const std::size_t inspected = decision_.behavior->web_acl->inspected_octets();
  const std::string_view held = upload_->held();
  facts_.body = held.substr(0, inspected);
  facts_.body_state =
      upload_->holds_all() && held.size() <= inspected ? Body::Whole : Body::Beginning;
  facts_.body_length = upload_->length();
  facts_.inspection = decision_.inspection;
  decide();
  proceed();
}

std::string_view Exchange::refusing_rule() const {
  if (!refused_by_.empty()) return refused_by_;
  const bool refused =
      reason_ == Reason::Waf || reason_ == Reason::RateLimit || reason_ == Reason::Challenge;
  if (!refused || decision_.inspection == nullptr || decision_.inspection->rule == nullptr)
    return {};
  return decision_.inspection->rule->name;
}

/// Names of the rules that matched the request, in their order, and then of those that matched the
/// response.
std::string_view Exchange::matched_rules() {
  if (decision_.inspection == nullptr || decision_.inspection->matched.empty())
    return response_matched_;
  return memory_.persist(fmt::format("{}{}{}", fmt::join(decision_.inspection->matched, ","),
                                     response_matched_.empty() ? "" : ",", response_matched_));
}

/// Whole seconds until a place is free, rounded up (RFC 9110 section 10.2.3).
std::string_view Exchange::retry_after() {
  if (reason_ != Reason::RateLimit) return {};
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(decision_.inspection->retry_after);
  return memory_.persist(fmt::format("{}", seconds.count()));
}

void Exchange::respond_denied() {
  const auto* inspection = decision_.inspection;
  if (decision_.reason == Reason::Challenge && accepts_html(facts_.fields))
    return respond_challenge(*inspection);
  const bool by_rule = decision_.reason == Reason::Waf || decision_.reason == Reason::RateLimit;
  if (by_rule && has_own_answer(*inspection->action))
    return respond_blocked(decision_.status, decision_.reason, *inspection->action);
  respond_error(decision_.status, decision_.reason, guard::proxy_error(decision_.reason),
                guard::code(decision_.reason));
}

/// What the origin has answered is nothing for viewers. Whoever waited for it hears the same.
void Exchange::respond_refused(const cache::FillFailure& failure) {
  note_origin();
  refused_by_ = memory_.persist(failure.refused_by);
  response_matched_ = memory_.persist(failure.details);
  const auto& acl = decision_.behavior->web_acl;
  const auto* rule = acl == nullptr ? nullptr : acl->find(refused_by_);
  if (rule != nullptr && has_own_answer(rule->action) && !stand_in_)
    return respond_blocked(failure.status, Reason::Waf, rule->action);
  respond_error(failure.status, Reason::Waf, guard::proxy_error(Reason::Waf),
                guard::code(Reason::Waf));
}

/// Who looks at a response for this request. One that an ACL of another commit has let pass, or
/// none, is not what this commit promises. While two generations are compared, neither is judged by
/// what the other one's origins answer.
const void* Exchange::fetch_judge() const {
  if (worker_.snapshots().is_divided()) return pin_->configuration.get();
  const auto& acl = decision_.behavior->web_acl;
  return acl == nullptr || acl->response_octets() == 0 ? nullptr : acl.get();
}

/// For a fetch on behalf of this request; null when no managed group looks at responses.
std::unique_ptr<const guard::waf::ResponseInspection> Exchange::response_inspection() {
  const auto& acl = decision_.behavior->web_acl;
  if (acl == nullptr || acl->response_octets() == 0) return nullptr;
  guard::waf::View view;
  view.method = facts_.method;
  view.target = facts_.target;
  view.path = decision_.path;
  view.protocol = facts_.http_version >= 0x200 ? "HTTP/2" : "HTTP/1.1";
  view.request_id = facts_.request_id;
  view.authority = facts_.authority;
  view.fields = facts_.fields;
  view.client = facts_.client;
  view.country = facts_.country;
  return std::make_unique<guard::waf::ResponseInspection>(*acl, view, worker_.waf_scratch());
}

/// With the body and the headers that the rule gives.
void Exchange::respond_blocked(int status, Reason reason, const schema::WafAction& action) {
  reason_ = reason;
  proxy_error_ = guard::proxy_error(reason_);
  details_ = guard::code(reason_);
  note_origin();
  std::pmr::vector<http::Field> fields(&memory_);
  for (const auto& [name, value] : action.headers) fields.push_back({name, value});
  const std::string_view type =
      action.body.empty() ? std::string_view("text/plain; charset=utf-8") : action.body_type;
  const auto add = [&](std::string_view name, std::string_view value) {
    const bool given = std::any_of(fields.begin(), fields.end(),
                                   [&](const http::Field& field) { return field.name == name; });
    if (!given && !value.empty()) fields.push_back({name, value});
  };
  add("content-type", type);
  add("cache-control", "no-store");
  add("retry-after", retry_after());
  Reply reply = reply_of(status, fields, CacheOutcome::Bypass);
  const std::string_view page =
      action.body.empty() ? plain_page(status, guard::code(reason_), reply.request_id, memory_)
                          : std::string_view(action.body);
  reply.content_length = page.size();
  write_head(request_, reply, memory_);
  const bool no_content =
      head_only_ || reply.status == 204 || reply.status == 205 || reply.status == 304;
  no_content ? sender_.send_nothing() : sender_.send_text(page);
}

void Exchange::respond_challenge(const guard::waf::Inspection& inspection) {
  reason_ = decision_.reason;
  proxy_error_ = guard::proxy_error(reason_);
  details_ = guard::code(reason_);
  const std::array fields = {http::Field{"content-type", "text/html; charset=utf-8"},
                             http::Field{"cache-control", "no-store"},
                             http::Field{"x-robots-tag", "noindex"}};
  Reply reply = reply_of(decision_.status, fields, CacheOutcome::Bypass);
  const std::string_view page = memory_.persist(guard::waf::challenge_page(
      inspection.challenge, inspection.action->bits, inspection.action->immunity));
  reply.content_length = page.size();
  write_head(request_, reply, memory_);
  head_only_ ? sender_.send_nothing() : sender_.send_text(page);
}

}  // namespace headgate::server
