// SPDX-License-Identifier: MIT
// The last part of a request's way: heads, pages and records. See exchange.h.
#include <fmt/format.h>

#include <array>

#include "appliance/http/conditional.h"
#include "appliance/server/exchange/exchange.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

using guard::Reason;
using observe::CacheOutcome;

bool went_forward(CacheOutcome outcome) {
  return outcome == CacheOutcome::Miss || outcome == CacheOutcome::HitForMiss ||
         outcome == CacheOutcome::Bypass;
}

std::uint64_t microseconds(std::chrono::steady_clock::duration duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

std::string_view protocol_name(int version) {
  switch (version) {
    case 0x200:
      return "HTTP/2";
    case 0x101:
      return "HTTP/1.1";
    default:
      return "HTTP/1.0";
  }
}

}  // namespace

Reply Exchange::reply_of(int status, http::Fields fields, CacheOutcome outcome) {
  outcome_ = outcome;
  first_octet_ = std::chrono::steady_clock::now();
  Reply reply;
  reply.status = status;
  reply.fields = fields;
  reply.distribution = decision_.distribution;
  reply.behavior = decision_.behavior;
  reply.request = facts_.fields;
  reply.outcome = outcome;
  if (pin_) reply.generation = pin_->label;
  reply.request_id = {request_id_.data(), request_id_.size() - 1};
  reply.sample = sample_;
  reply.proxy_error = proxy_error_;
  reply.reason = reason_;
  return reply;
}

http::CacheStatus Exchange::cache_status_of(const cache::StoredResponse& response,
                                            CacheOutcome outcome) {
  http::CacheStatus status;
  const auto ttl = [&] {
    const auto policy = ttl_policy(*decision_.distribution, *decision_.behavior, response.status());
    const Duration left = http::freshness_lifetime(response.directives(), policy) -
                          response.current_age(worker_.loop().now());
    return std::chrono::floor<std::chrono::seconds>(left).count();
  };
  switch (outcome) {
    case CacheOutcome::FreshHit:
    case CacheOutcome::StaleHit:
      status.hit = true;
      status.ttl_seconds = ttl();
      break;
    case CacheOutcome::CollapsedHit:
      status.forward = stale_ ? http::Forward::Stale : http::Forward::UriMiss;
      status.collapsed = true;
      break;
    case CacheOutcome::RevalidatedHit:
      status.forward = http::Forward::Stale;
      status.forward_status = 304;
      status.ttl_seconds = ttl();
      break;
    case CacheOutcome::Miss:
    case CacheOutcome::HitForMiss:
      status.forward = stale_ ? http::Forward::Stale : http::Forward::UriMiss;
      status.forward_status = response.status();
      if (outcome == CacheOutcome::HitForMiss) status.detail = "hit-for-miss";
      if (const auto job = job_.lock()) status.stored = job->stores();
      break;
    default:
      status.forward = decision_.behavior->cached_methods.contains(facts_.method)
                           ? http::Forward::Bypass
                           : http::Forward::Method;
      status.forward_status = response.status();
      break;
  }
  return status;
}

void Exchange::respond_stored(const base::Ref<cache::StoredResponse>& response,
                              CacheOutcome outcome) {
  note_origin();
  if (!stand_in_ && respond_error_page(response->status())) return;

  served_ = response;
  // A page that is not there itself is answered by its own status: features.md R150.
  const bool stands_in = stand_in_ && response->status() == 200;
  Reply reply = reply_of(stands_in ? stand_in_->response_status : response->status(),
                         response->fields(), outcome);
  const Duration age = response->current_age(worker_.loop().now());
  if (!went_forward(outcome) || age >= std::chrono::seconds(1)) reply.age = age;
  reply.cache_status = cache_status_of(*response, outcome);
  const cache::Body& body = *response->body();
  if (body.complete()) {
    reply.content_length = body.size();
  } else {
    reply.content_length = body.expected_length();
  }
  if (response->status() == 204 || response->status() == 304) reply.content_length.reset();

  // Preconditions and ranges that the origin has seen are its own business.
  if (decision_.uses_cache && reply.status == 200 && !stand_in_ &&
      respond_from_body(*response, reply))
    return;
  write_head(request_, reply, memory_);
  const bool no_content = head_only_ || reply.status == 204 || reply.status == 304;
  no_content ? sender_.send_nothing() : sender_.send(response->body(), 0, UINT64_MAX);
}

/// 304, 206 or 416 when the request's fields ask for it. Whether it has responded.
bool Exchange::respond_from_body(const cache::StoredResponse& response, Reply& reply) {
  if (http::is_not_modified(facts_.fields, response.fields())) {
    reply.status = 304;
    reply.content_length.reset();
    write_head(request_, reply, memory_);
    sender_.send_nothing();
    return true;
  }
  if (head_only_ || !reply.content_length || !http::find(facts_.fields, "range")) return false;

  const std::uint64_t length = *reply.content_length;
  http::ByteRange range;
  const auto verdict = http::evaluate_range(facts_.fields, response.fields(), length, range);
  if (verdict == http::RangeVerdict::Ignore) return false;
  std::pmr::vector<http::Field> fields(reply.fields.begin(), reply.fields.end(), &memory_);
  std::string content_range;
  if (verdict == http::RangeVerdict::Satisfiable) {
    reply.status = 206;
    reply.content_length = range.last - range.first + 1;
    content_range = fmt::format("bytes {}-{}/{}", range.first, range.last, length);
  } else {
    reply.status = 416;
    reply.content_length = 0;
    content_range = fmt::format("bytes */{}", length);
  }
  fields.push_back({"content-range", memory_.persist(content_range)});
  reply.fields = {fields.data(), fields.size()};
  write_head(request_, reply, memory_);
  if (reply.status == 416) {
    sender_.send_nothing();
  } else {
    sender_.send(response.body(), range.first, range.last + 1);
  }
  return true;
}

void Exchange::respond_error(int status, Reason reason, std::string_view proxy_error,
                             std::string_view details) {
  reason_ = reason;
  proxy_error_ = proxy_error;
  details_ = details;
  note_origin();
  if (stand_in_) {
    // The page could not be had either: what it stood in for is answered plainly.
    status = stand_in_->error_status;
  } else if (respond_error_page(status)) {
    return;
  }
  std::array<http::Field, 3> fields = {http::Field{"content-type", "text/plain; charset=utf-8"},
                                       http::Field{"cache-control", "no-store"}};
  std::size_t count = 2;
  if (reason == Reason::Method && status == 405)
    fields[count++] = {"allow", decision_.behavior->allow};
  respond_plain(status, {fields.data(), count});
}

void Exchange::respond_redirect() {
  reason_ = decision_.reason;
  const std::array fields = {http::Field{"location", decision_.location},
                             http::Field{"content-type", "text/plain; charset=utf-8"}};
  respond_plain(decision_.status, fields);
}

void Exchange::respond_plain(int status, http::Fields fields) {
  const bool failed = reason_ == Reason::OriginFailure;
  Reply reply = reply_of(status, fields, failed ? CacheOutcome::Error : CacheOutcome::Bypass);
  const std::string_view page = plain_page(status, guard::code(reason_), reply.request_id, memory_);
  reply.content_length = page.size();
  write_head(request_, reply, memory_);
  head_only_ ? sender_.send_nothing() : sender_.send_text(page);
}

bool Exchange::respond_error_page(int status) {
  if (status < 400 || decision_.distribution == nullptr) return false;
  const auto* page = decision_.distribution->error_page(status);
  if (page == nullptr) return false;
  if (page->inline_body) {
    const std::array fields = {http::Field{"content-type", page->content_type}};
    Reply reply = reply_of(page->response_code, fields,
                           proxy_error_.empty() ? CacheOutcome::Bypass : CacheOutcome::Error);
    reply.content_length = page->inline_body->size();
    write_head(request_, reply, memory_);
    head_only_ ? sender_.send_nothing() : sender_.send(page->inline_body, 0, UINT64_MAX);
    return true;
  }
  if (page->page_path.empty()) return false;
  fetch_error_page(*page);
  return true;
}

void Exchange::fetch_error_page(const snapshot::ErrorPage& page) {
  stand_in_ = {.error_status = page.error_code, .response_status = page.response_code};
  release_fetch();
  waiter_.reset();
  stale_.reset();
  purged_ = cache::Purged::No;
  leads_ = false;
  hit_for_miss_ = false;
  facts_.method = "GET";
  decision_ = snapshot::decide_error_page(decision_, facts_, page.page_path, memory_);
  decision_.uses_cache ? look_up() : go_alone();
}

void Exchange::record() {
  observe::RequestRecord record;
  const auto now = std::chrono::steady_clock::now();
  record.time = worker_.loop().wall_now() - std::chrono::duration_cast<Duration>(now - began_);
  record.client = facts_.client;
  record.client_port = peer_.port;
  record.country = facts_.country.text();
  record.method = view(request_.input.method);
  record.scheme = facts_.https ? "https" : "http";
  record.host = facts_.authority;
  record.target = facts_.target;
  record.protocol = protocol_name(request_.version);
  record.tls_version = peer_.tls_version;
  record.user_agent = http::find(facts_.fields, "user-agent").value_or("");
  record.referer = http::find(facts_.fields, "referer").value_or("");
  record.request_id = {request_id_.data(), request_id_.size() - 1};
  if (decision_.distribution != nullptr) record.distribution = decision_.distribution->name;
  if (decision_.behavior != nullptr) {
    record.behavior = decision_.behavior->pattern.text();
    record.metric_slot = decision_.behavior->metric_slot;
  }
  record.origin = origin_;
  record.origin_status = origin_status_;
  if (pin_) record.generation = pin_->label;
  record.proxy_error = proxy_error_;
  record.details = details_;
  if (served_) record.content_type = http::find(served_->fields(), "content-type").value_or("");
  record.status = sender_.started() ? request_.res.status : 0;
  record.reason = reason_;
  record.outcome = outcome_;
  record.bytes_sent = request_.bytes_sent;
  record.bytes_received = received_;
  record.duration_us = microseconds(now - began_);
  record.time_to_first_byte_us = sender_.started() ? microseconds(first_octet_ - began_) : 0;
  record.aborted = !sender_.finished();
  worker_.record(record);
}

}  // namespace headgate::server
