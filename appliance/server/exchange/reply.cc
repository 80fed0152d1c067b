// SPDX-License-Identifier: MIT
#include "appliance/server/exchange/reply.h"

#include <fmt/format.h>

#include <charconv>

#include "appliance/server/exchange/status_phrase.h"
#include "appliance/snapshot/policy/policies.h"

namespace headgate::server {
namespace {

using observe::CacheOutcome;

std::string_view x_cache(const Reply& reply) {
  // With compat: cloudfront, CloudFront's own words.
  const bool compat = reply.distribution != nullptr && reply.distribution->cloudfront_compat;
  const auto pick = [&](std::string_view ours, std::string_view theirs) {
    return compat ? theirs : ours;
  };
  switch (reply.outcome) {
    case CacheOutcome::FreshHit:
    case CacheOutcome::StaleHit:
    case CacheOutcome::CollapsedHit:
      return pick("Hit from headgate", "Hit from cloudfront");
    case CacheOutcome::RevalidatedHit:
      return pick("RefreshHit from headgate", "RefreshHit from cloudfront");
    case CacheOutcome::Error:
      return pick("Error from headgate", "Error from cloudfront");
    default:
      break;
  }
  if (reply.reason == guard::Reason::RedirectToHttps)
    return pick("Redirect from headgate", "Redirect from cloudfront");
  if (!reply.proxy_error.empty()) return pick("Error from headgate", "Error from cloudfront");
  return pick("Miss from headgate", "Miss from cloudfront");
}

/// Adds one field, by token where h2o has one: its header compression works on tokens.
void add(h2o_req_t& request, std::string_view name, std::string_view value) {
  if (value.empty()) value = "";  // not null: it is copied by memcpy
  const h2o_token_t* token = h2o_lookup_token(name.data(), name.size());
  if (token != nullptr) {
    if (token == H2O_TOKEN_DATE) request.res.has_date = 1;
    h2o_add_header(&request.pool, &request.res.headers, token, nullptr, value.data(), value.size());
  } else {
    h2o_add_header_by_str(&request.pool, &request.res.headers, name.data(), name.size(), 0, nullptr,
                          value.data(), value.size());
  }
}

std::string_view proxy_status(const Reply& reply, PoolMemory& memory) {
  std::string text = fmt::format("headgate; error={}", reply.proxy_error);
  if (reply.reason != guard::Reason::None)
    text += fmt::format("; details=\"{}{}{}\"", guard::code(reply.reason),
                        reply.rule.empty() ? "" : " ", reply.rule);
  return memory.persist(text);
}

/// Server-Timing in CloudFront's terms, for the sampled share of responses that the policy asks
/// for.
void add_server_timing(h2o_req_t& request, const Reply& reply, PoolMemory& memory) {
  if (reply.behavior == nullptr || reply.behavior->response_headers_policy == nullptr) return;
  const auto& timing = reply.behavior->response_headers_policy->source->server_timing;
  if (!timing.enabled || reply.sample >= timing.sampling_rate) return;
  const bool hit = reply.cache_status.hit || reply.outcome == CacheOutcome::CollapsedHit ||
                   reply.outcome == CacheOutcome::RevalidatedHit;
  add(request, "server-timing",
      memory.persist(fmt::format("{}, cdn-pop;desc=\"headgate\", cdn-rid;desc=\"{}\"",
                                 hit ? "cdn-cache-hit" : "cdn-cache-miss", reply.request_id)));
}

void add_edge_fields(h2o_req_t& request, const Reply& reply, PoolMemory& memory) {
  if (reply.age) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*reply.age).count();
    auto* text = static_cast<char*>(memory.allocate(20, 1));
    const auto end = std::to_chars(text, text + 20, seconds).ptr;
    add(request, "age", {text, static_cast<std::size_t>(end - text)});
  }
  auto* status = static_cast<char*>(memory.allocate(http::kCacheStatusSize, 1));
  add(request, "cache-status",
      http::write_cache_status(reply.cache_status, std::span<char, http::kCacheStatusSize>(
                                                       status, http::kCacheStatusSize)));
  add(request, "x-cache", x_cache(reply));
  if (!reply.generation.empty()) add(request, "headgate-generation", reply.generation);
  add(request, "x-request-id", reply.request_id);
  request.res.headers.entries[request.res.headers.size - 1].dont_index = 1;
  if (!reply.alt_svc.empty()) add(request, "alt-svc", reply.alt_svc);
  if (!reply.set_cookie.empty()) add(request, "set-cookie", reply.set_cookie);
  add_server_timing(request, reply, memory);
  if (!reply.proxy_error.empty()) add(request, "proxy-status", proxy_status(reply, memory));
  if (!reply.debug_header.empty()) add(request, reply.debug_header, reply.debug_value);
}

/// What the edge says about itself replaces what an origin or a policy said under the same name;
/// Cache-Status and Proxy-Status are lists that grow.
bool is_edges_own(std::string_view name, const Reply& reply) {
  return name == "content-length" || name == "x-cache" || name == "headgate-generation" ||
         name == "x-request-id" || name == "age" || (name == "alt-svc" && !reply.alt_svc.empty());
}

}  // namespace

void write_head(h2o_req_t& request, const Reply& reply, PoolMemory& memory) {
  request.res.status = reply.status;
  request.res.reason = status_phrase(reply.status);
  request.res.content_length =
      reply.content_length ? static_cast<std::size_t>(*reply.content_length) : SIZE_MAX;
  h2o_vector_reserve(&request.pool, &request.res.headers, reply.fields.size() + 13);

  const auto* policy =
      reply.behavior == nullptr ? nullptr : reply.behavior->response_headers_policy.get();
  if (policy == nullptr) {
    for (const auto& field : reply.fields)
      if (!is_edges_own(field.name, reply)) add(request, field.name, field.value);
  } else {
    std::pmr::vector<http::Field> fields(&memory);
    fields.reserve(reply.fields.size() + policy->lines.size() + 8);
    snapshot::apply(*policy, reply.request, reply.fields, fields);
    for (const auto& field : fields)
      if (!is_edges_own(field.name, reply)) add(request, field.name, field.value);
  }
  add_edge_fields(request, reply, memory);
}

void write_interim(h2o_req_t& request, int status, http::Fields fields, PoolMemory& memory) {
  if (status < 100 || status > 199 || status == 101) return;
  std::pmr::vector<h2o_header_t> headers(&memory);
  std::pmr::vector<h2o_iovec_t> names(&memory);
  headers.reserve(fields.size());
  names.reserve(fields.size());
  for (const auto& field : fields) {
    const h2o_token_t* token = h2o_lookup_token(field.name.data(), field.name.size());
    if (token == nullptr) names.push_back(iovec(field.name));
    headers.push_back(
        {.name = token != nullptr ? const_cast<h2o_iovec_t*>(&token->buf) : &names.back(),
         .orig_name = nullptr,
         .value = iovec(field.value),
         .dont_index = 1});
  }
  h2o_send_informational(&request, status, headers.data(), headers.size());
}

std::string_view plain_page(int status, std::string_view reason, std::string_view request_id,
                            PoolMemory& memory) {
  return memory.persist(fmt::format("{} {}\nreason: {}\nrequest: {}\n", status,
                                    status_phrase(status), reason, request_id));
}

}  // namespace headgate::server
