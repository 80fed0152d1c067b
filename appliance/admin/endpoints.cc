// SPDX-License-Identifier: MIT
// The table of endpoints and what each does.
#include "appliance/admin/endpoints.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "appliance/admin/authentic.h"
#include "appliance/admin/cloudfront/invalidation.h"
#include "appliance/admin/page.h"
#include "appliance/base/ip_address.h"
#include "appliance/http/field.h"
#include "schema/files/document.h"

namespace headgate::admin {
namespace {

constexpr std::size_t kEventsAtOnce = 256;
constexpr std::size_t kMaxEventsSize = 4 * 1024 * 1024;

using Json = nlohmann::ordered_json;

/// Never throws: what is not UTF-8 becomes U+FFFD.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string_view find_header(const Call& call, std::string_view name) {
  for (const auto& [key, value] : call.headers) {
    if (http::equals_ignoring_case(key, name)) return value;
  }
  return {};
}

/// `host` without its port.
std::string_view host_name(std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    const auto close = host.find(']');
    return close == std::string_view::npos ? host : host.substr(1, close - 1);
  }
  return host.substr(0, host.find(':'));
}

/// The body: an Invalidation as it would stand in the repository. Null after a refusal.
std::shared_ptr<const schema::Invalidation> read_invalidation(const Call& call, Answer& refusal) {
  const schema::DecodedFile file =
      schema::decode_file("request", call.body, schema::Owner::Repository, nullptr);
  if (file.resources.size() == 1 && !schema::has_errors(file.diagnostics))
    if (const auto* found = std::get_if<std::shared_ptr<const schema::Invalidation>>(
            &file.resources.front()->value))
      return *found;
  Json json{{"error", "the body must be one valid `kind: Invalidation`"},
            {"diagnostics", Json::array()}};
  for (const auto& diagnostic : file.diagnostics) json["diagnostics"].push_back(diagnostic.text());
  refusal.status = 400;
  refusal.body = dump(json);
  return nullptr;
}

}  // namespace

Answer refuse(int status, std::string_view problem) {
  Answer answer;
  answer.status = status;
  answer.body = dump(Json{{"error", problem}});
  return answer;
}

struct Endpoints::Endpoint {
  enum class Methods { Read, Post, Both };  ///< GET and HEAD, POST
  std::string_view path;
  Methods methods = Methods::Read;
  bool health = false;         ///< served by --health listeners, and to everybody
  bool proves_itself = false;  ///< its requests carry their own proof
  Answer (Endpoints::*handle)(const Call&) const;
  bool with_all_below = false;  ///< paths that begin with `path`, too

  bool is_at(std::string_view asked) const {
    return asked == path || (with_all_below && asked.starts_with(path));
  }
  bool allows(std::string_view method) const {
    const bool reads = method == "GET" || method == "HEAD";
    return (reads && methods != Methods::Post) || (method == "POST" && methods != Methods::Read);
  }
  const char* allowed() const {
    return methods == Methods::Read   ? "GET, HEAD"
           : methods == Methods::Post ? "POST"
                                      : "GET, HEAD, POST";
  }
};

const std::vector<Endpoints::Endpoint>& Endpoints::table() {
  using Methods = Endpoint::Methods;
  static const std::vector<Endpoint> kTable = {
      {"/healthz", Methods::Read, true, false, &Endpoints::health},
      {"/readyz", Methods::Read, true, false, &Endpoints::ready},
      {"/status", Methods::Read, false, false, &Endpoints::status},
      {"/metrics", Methods::Read, false, false, &Endpoints::metrics},
      {"/events", Methods::Read, false, false, &Endpoints::events},
      {"/requests", Methods::Read, false, false, &Endpoints::requests},
      {"/hooks/git", Methods::Post, false, true, &Endpoints::hook},
      {"/reconcile", Methods::Post, false, false, &Endpoints::reconcile},
      {"/rollback", Methods::Post, false, false, &Endpoints::override_by_operator},
      {"/suspend", Methods::Post, false, false, &Endpoints::override_by_operator},
      {"/resume", Methods::Post, false, false, &Endpoints::override_by_operator},
      {"/upgrade", Methods::Post, false, false, &Endpoints::upgrade},
      {"/upgrade/file", Methods::Post, false, false, &Endpoints::upgrade},
      {"/factory-reset", Methods::Post, false, false, &Endpoints::upgrade},
      {"/hooks/receive", Methods::Post, false, false, &Endpoints::push},
      {"/invalidations", Methods::Both, false, false, &Endpoints::invalidations},
      {"/invalidations/estimate", Methods::Post, false, false, &Endpoints::estimate},
      {"/warm", Methods::Both, false, false, &Endpoints::warm},
      {cloudfront::kPrefix, Methods::Both, false, false, &Endpoints::cloudfront, true},
      {"/", Methods::Read, false, false, &Endpoints::page},
  };
  return kTable;
}

Endpoints::Endpoints(Options options, Appliance appliance, bool tcp)
    : options_(std::move(options)), appliance_(std::move(appliance)), tcp_(tcp) {}

bool Endpoints::serves(const Endpoint& endpoint) const {
  if (options_.health_only) return endpoint.health;
  return endpoint.path != "/hooks/git" || options_.webhook_secret.has_value();
}

Answer Endpoints::answer(const Call& call) const {
  const auto& all = table();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Endpoint& e) { return e.is_at(call.path); });
  if (found == all.end() || !serves(*found)) return refuse(404, "there is nothing at this path");
  if (!found->allows(call.method)) {
    auto refused = refuse(405, fmt::format("allowed here: {}", found->allowed()));
    refused.headers.emplace_back("Allow", found->allowed());
    return refused;
  }
  if (auto forbidden = forbid(call, *found)) {
    if (found->path != cloudfront::kPrefix) return std::move(*forbidden);
    return cloudfront::error(forbidden->status, "AccessDenied",
                             "send the admin token as Authorization: Bearer, from no browser");
  }
  return (this->*found->handle)(call);
}

/// Why the caller may not, if so.
std::optional<Answer> Endpoints::forbid(const Call& call, const Endpoint& endpoint) const {
  if (endpoint.health || endpoint.proves_itself) return std::nullopt;
  if (options_.token) {
    constexpr std::string_view kScheme = "Bearer ";
    const auto given = find_header(call, "authorization");
    if (given.size() > kScheme.size() &&
        http::equals_ignoring_case(given.substr(0, kScheme.size()), kScheme) &&
        same_secret(*options_.token, given.substr(kScheme.size()))) {
      return std::nullopt;
    }
    auto refused = refuse(401, "send the admin token as Authorization: Bearer");
    refused.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"headgate\"");
    return refused;
  }
  if (!tcp_) return std::nullopt;
  // A page of somebody else's, in a browser on this machine, can point a name of its own at a
  // loopback address and then read what is there; it cannot do so with an address.
  const auto host = host_name(find_header(call, "host"));
  if (!host.empty() && !http::equals_ignoring_case(host, "localhost") &&
      !base::IpAddress::parse(host))
    return refuse(403, "without a token, Host must be an IP address or localhost");
  // Nor may it make that browser send something here, though it could not read the answer.
  if (call.method == "POST" && !find_header(call, "origin").empty())
    return refuse(403, "without a token, pages in a browser may not change anything");
  return std::nullopt;
}

Answer Endpoints::health(const Call&) const {
  Answer answer;
  answer.body = dump(Json{{"alive", true}});
  return answer;
}

Answer Endpoints::ready(const Call& call) const {
  const auto readiness = appliance_.readiness();
  std::string reason = readiness.ready ? "" : readiness.reason;
  if (readiness.ready && call.parameters.count("strict") != 0) {
    if (readiness.source_age_seconds < 0) {
      reason = "the source was never read";
    } else if (readiness.source_age_seconds > options_.strict_max_source_age_seconds) {
      reason = fmt::format("the source was last read {:.0f} s ago, which is more than {:.0f} s",
                           readiness.source_age_seconds, options_.strict_max_source_age_seconds);
    }
  }
  const bool ready = readiness.ready && reason.empty();
  Json json{{"ready", ready}};
  if (!ready) json["reason"] = reason;
  Answer answer;
  answer.status = ready ? 200 : 503;
  answer.body = dump(json);
  return answer;
}

Answer Endpoints::status(const Call&) const {
  Answer answer;
  answer.body = appliance_.status_json();
  return answer;
}

Answer Endpoints::metrics(const Call&) const {
  Answer answer;
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  answer.body = appliance_.metrics_text();
  return answer;
}

Endpoints::Events Endpoints::events_after(std::uint64_t after) const {
  Events events{.lines = {}, .last = after};
  while (events.lines.size() < kMaxEventsSize) {
    const auto some = appliance_.events(events.last, kEventsAtOnce);
    for (const auto& [sequence, json] : some) {
      events.lines.append(json).append("\n");
      events.last = std::max(events.last, sequence);
    }
    if (some.size() < kEventsAtOnce) break;
  }
  return events;
}

Answer Endpoints::events(const Call& call) const {
  std::uint64_t after = 0;
  if (const auto found = call.parameters.find("after"); found != call.parameters.end()) {
    const auto& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), after);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
      return refuse(400, "after must be the sequence number of an event");
    }
  }
  const auto follow = call.parameters.find("follow");
  auto events = events_after(after);
  Answer answer;
  answer.content_type = "application/jsonl";
  answer.body = std::move(events.lines);
  if (follow != call.parameters.end() && follow->second == "1" && call.method == "GET") {
    answer.follow_after = events.last;
  }
  return answer;
}

Answer Endpoints::requests(const Call&) const {
  if (!appliance_.recent_requests) return refuse(404, "this appliance keeps no requests");
  Answer answer;
  answer.content_type = "application/jsonl";
  answer.body = appliance_.recent_requests();
  return answer;
}

Answer Endpoints::hook(const Call& call) const {
  if (!webhook_is_authentic(*options_.webhook_secret, call.body, call.headers)) {
    return refuse(401, "the webhook's signature or token is missing or wrong");
  }
  appliance_.reconcile_now();
  Answer answer;
  answer.status = 202;
  answer.body = dump(Json{{"accepted", true}});
  return answer;
}

Answer Endpoints::reconcile(const Call&) const {
  appliance_.reconcile_now();
  Answer answer;
  answer.status = 202;
  answer.body = dump(Json{{"accepted", true}});
  return answer;
}

Answer Endpoints::override_by_operator(const Call& call) const {
  return answer_override(call, appliance_.overriding);
}

Answer Endpoints::upgrade(const Call& call) const {
  return answer_upgrade(call, appliance_.upgrading);
}

Answer Endpoints::push(const Call& call) const {
  if (!appliance_.review_push) return refuse(404, "this appliance receives nothing: --receive");
  auto said = appliance_.review_push(call.body);
  if (!said) return refuse(400, said.error().context);
  Answer answer;
  answer.body = std::move(*said);
  return answer;
}

Answer Endpoints::cloudfront(const Call& call) const {
  return cloudfront::answer(call, appliance_.purging);
}

Answer Endpoints::purge(const Call& call) const {
  Answer refused;
  const auto invalidation = read_invalidation(call, refused);
  if (invalidation == nullptr) return refused;
  const PurgeReply reply = appliance_.purging.purge(*invalidation);
  switch (reply.outcome) {
    case PurgeReply::Outcome::Created:
    case PurgeReply::Outcome::Known:
      break;
    case PurgeReply::Outcome::Mismatch:
      return refuse(409, reply.problem);
    case PurgeReply::Outcome::NoDistribution:
      return refuse(404, reply.problem);
    case PurgeReply::Outcome::TooMany:
      return refuse(429, reply.problem);
    case PurgeReply::Outcome::Refused:
      return refuse(400, reply.problem);
    case PurgeReply::Outcome::Unavailable:
      return refuse(503, reply.problem);
  }
  Answer answer;
  answer.status = reply.outcome == PurgeReply::Outcome::Created ? 201 : 200;
  answer.body = reply.view->json + "\n";
  return answer;
}

Answer Endpoints::estimate(const Call& call) const {
  Answer answer;
  const auto invalidation = read_invalidation(call, answer);
  if (invalidation == nullptr) return answer;
  const PurgeEstimate estimate = appliance_.purging.estimate(*invalidation);
  answer.body = dump(Json{{"responses", estimate.responses}, {"bytes", estimate.bytes}});
  return answer;
}

Answer Endpoints::invalidations(const Call& call) const {
  if (call.method == "POST") return purge(call);
  Answer answer;
  answer.body = appliance_.invalidations_json();
  return answer;
}

/// GET: lists and runs. POST: runs `?list=NAME`, or all.
Answer Endpoints::warm(const Call& call) const {
  Answer answer;
  if (call.method != "POST") {
    answer.body = appliance_.warming.json();
    return answer;
  }
  const auto list = call.parameters.find("list");
  const WarmReply reply = appliance_.warming.run(list == call.parameters.end() ? "" : list->second);
  switch (reply.outcome) {
    case WarmReply::Outcome::Running:
      break;
    case WarmReply::Outcome::NoList:
      return refuse(404, reply.problem);
    case WarmReply::Outcome::Unavailable:
      return refuse(503, reply.problem);
  }
  answer.status = 202;
  answer.body = dump(Json{{"runs", reply.runs}});
  return answer;
}

Answer Endpoints::page(const Call&) const {
  Answer answer;
  answer.content_type = "text/html; charset=utf-8";
  answer.body = status_page(appliance_.status_json());
  answer.headers.emplace_back("Content-Security-Policy", status_page_policy());
  answer.headers.emplace_back("Referrer-Policy", "no-referrer");
  return answer;
}

}  // namespace headgate::admin
