// SPDX-License-Identifier: MIT
// The last part of a request's way: heads, pages and records. See exchange.h.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <new>

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
    case 0x300:
      return "HTTP/3";
    case 0x200:
      return "HTTP/2";
    case 0x101:
      return "HTTP/1.1";
    default:
      return "HTTP/1.0";
  }
}

/// The fields of `response`, for as long as `memory`.
http::Fields unpacked(const cache::StoredResponse& response, std::pmr::memory_resource& memory) {
  const cache::FieldList fields = response.fields();
  auto* copy = static_cast<http::Field*>(
      memory.allocate(fields.size() * sizeof(http::Field), alignof(http::Field)));
  std::uninitialized_copy(fields.begin(), fields.end(), copy);
  return {copy, fields.size()};
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
  reply.set_cookie = rollout_cookie_;
  reply.alt_svc = alt_svc();
  reply.sample = sample_;
  reply.proxy_error = proxy_error_;
  reply.reason = reason_;
  reply.rule = refusing_rule();
  const std::string& debug_header = worker_.commons().options.waf_debug_header;
  if (!debug_header.empty()) {
    reply.debug_header = debug_header;
    reply.debug_value = matched_rules();
  }
  return reply;
}

/// RFC 7838: that the same is to be had over HTTP/3, on the UDP port beside the connection's own.
std::string_view Exchange::alt_svc() {
  if (decision_.distribution == nullptr || !decision_.distribution->http3 || !peer_.tls ||
      request_.version >= 0x300)
    return {};
  sockaddr_storage local;
  auto* address = reinterpret_cast<sockaddr*>(&local);
  if (request_.conn->callbacks->get_sockname(request_.conn, address) == 0) return {};
  return memory_.persist(fmt::format("h3=\":{}\"; ma=86400", h2o_socket_getport(address)));
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
      if (from_disk_) status.detail = "disk";
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
      if (went_for_slice_) {
        status.forward = http::Forward::Partial;
        status.forward_status = 206;
        status.stored = true;
        status.ttl_seconds = ttl();
        break;
      }
      status.forward = stale_ ? http::Forward::Stale : http::Forward::UriMiss;
      status.forward_status = response.status();
      if (outcome == CacheOutcome::HitForMiss) status.detail = "hit-for-miss";
      if (const auto job = job_.lock()) status.stored = job->stores();
      if (response.sliced()) status.stored = true;  // its job may have ended by now
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
  if (response->sliced() && !open_slices(response, outcome)) return;
  if (went_for_slice_) outcome = CacheOutcome::Miss;

  served_ = response;
  // A page that is not there itself is answered by its own status: features.md R150.
  const bool stands_in = stand_in_ && response->status() == 200;
  Reply reply = reply_of(stands_in ? stand_in_->response_status : response->status(),
                         unpacked(*response, memory_), outcome);
  const Duration age = response->current_age(worker_.loop().now());
  if (!went_forward(outcome) || age >= std::chrono::seconds(1)) reply.age = age;
  reply.cache_status = cache_status_of(*response, outcome);
  const base::Ref<cache::Body> body = select_body(*response, reply);
  if (response->sliced()) {
    reply.content_length = response->sliced()->length;
  } else if (body->complete()) {
    reply.content_length = body->size();
  } else {
    reply.content_length = body->expected_length();
  }
  if (response->status() == 204 || response->status() == 304) reply.content_length.reset();

  // Preconditions and ranges that the origin has seen are its own business.
  if (decision_.uses_cache && reply.status == 200 && !stand_in_ &&
      respond_from_body(*response, reply))
    return;
  write_head(request_, reply, memory_);
  const bool no_content = head_only_ || reply.status == 204 || reply.status == 304;
  if (no_content) {
    sender_.send_nothing();
  } else if (response->sliced()) {
    sender_.send(*slices_, 0, response->sliced()->length);
  } else {
    sender_.send(body, 0, UINT64_MAX);
  }
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

  http::ByteRanges ranges;
  switch (http::evaluate_range(facts_.fields, response.fields(), *reply.content_length, ranges)) {
    case http::RangeVerdict::Ignore:
      return false;
    case http::RangeVerdict::Unsatisfiable:
      respond_unsatisfiable(reply);
      return true;
    case http::RangeVerdict::Satisfiable:
      break;
  }
  // What passes by cannot be gone back to; the order of parts is free (RFC 9110 section 15.3.7.2).
  if (!response.sliced() && !response.body()->keeps_all())
    std::sort(ranges.parts.begin(), ranges.parts.begin() + ranges.count,
              [](const auto& one, const auto& other) { return one.first < other.first; });
  ranges.count == 1 ? respond_part(response, reply, ranges.parts[0])
                    : respond_parts(response, reply, ranges);
  return true;
}

void Exchange::respond_unsatisfiable(Reply& reply) {
  std::pmr::vector<http::Field> fields(reply.fields.begin(), reply.fields.end(), &memory_);
  fields.push_back(
      {"content-range", memory_.persist(fmt::format("bytes */{}", *reply.content_length))});
  reply.fields = {fields.data(), fields.size()};
  reply.status = 416;
  reply.content_length = 0;
  write_head(request_, reply, memory_);
  sender_.send_nothing();
}

void Exchange::respond_part(const cache::StoredResponse& response, Reply& reply,
                            http::ByteRange range) {
  std::pmr::vector<http::Field> fields(reply.fields.begin(), reply.fields.end(), &memory_);
  fields.push_back(
      {"content-range", memory_.persist(fmt::format("bytes {}-{}/{}", range.first, range.last,
                                                    *reply.content_length))});
  reply.fields = {fields.data(), fields.size()};
  reply.status = 206;
  reply.content_length = range.last - range.first + 1;
  write_head(request_, reply, memory_);
  response.sliced() ? sender_.send(*slices_, range.first, range.last + 1)
                    : sender_.send(response.body(), range.first, range.last + 1);
}

/// multipart/byteranges: RFC 9110 section 14.6.
void Exchange::respond_parts(const cache::StoredResponse& response, Reply& reply,
                             const http::ByteRanges& ranges) {
  const std::uint64_t length = *reply.content_length;
  // Long and random, as the request's id is: it does not occur in what it separates.
  const std::string boundary = fmt::format("headgate-{}", reply.request_id);
  const auto content_type = http::find(response.fields(), "content-type");
  auto* parts = static_cast<BodySender::Part*>(
      memory_.allocate((ranges.count + 1) * sizeof(BodySender::Part), alignof(BodySender::Part)));
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < ranges.count; ++i) {
    const http::ByteRange range = ranges.parts[i];
    std::string head = fmt::format("{}--{}\r\n", i == 0 ? "" : "\r\n", boundary);
    if (content_type) head += fmt::format("Content-Type: {}\r\n", *content_type);
    head += fmt::format("Content-Range: bytes {}-{}/{}\r\n\r\n", range.first, range.last, length);
    new (&parts[i]) BodySender::Part{memory_.persist(head), range.first, range.last + 1};
    total += head.size() + (range.last - range.first + 1);
  }
  const std::string_view tail = memory_.persist(fmt::format("\r\n--{}--\r\n", boundary));
  const std::uint64_t end = ranges.parts[ranges.count - 1].last + 1;
  new (&parts[ranges.count]) BodySender::Part{tail, end, end};

  std::pmr::vector<http::Field> fields(&memory_);
  std::copy_if(reply.fields.begin(), reply.fields.end(), std::back_inserter(fields),
               [](const http::Field& field) { return field.name != "content-type"; });
  fields.push_back({"content-type",
                    memory_.persist(fmt::format("multipart/byteranges; boundary={}", boundary))});
  reply.fields = {fields.data(), fields.size()};
  reply.status = 206;
  reply.content_length = total + tail.size();
  write_head(request_, reply, memory_);
  const std::span<const BodySender::Part> all(parts, ranges.count + 1);
  response.sliced() ? sender_.send_parts(*slices_, all) : sender_.send_parts(response.body(), all);
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
  std::array<http::Field, 4> fields = {http::Field{"content-type", "text/plain; charset=utf-8"},
                                       http::Field{"cache-control", "no-store"}};
  std::size_t count = 2;
  if (reason == Reason::Method && status == 405)
    fields[count++] = {"allow", decision_.behavior->allow};
  if (const std::string_view after = retry_after(); !after.empty())
    fields[count++] = {"retry-after", after};
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
  // Who warms wants to know what there is, not what stands in for it.
  if (status < 400 || decision_.distribution == nullptr || facts_.warming) return false;
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

/// So that another look-up can begin.
void Exchange::forget_what_was_found() {
  release_fetch();
  waiter_.reset();
  reading_.reset();
  asked_disk_ = false;
  from_disk_ = false;
  slices_.reset();
  stale_.reset();
  purged_ = cache::Purged::No;
  leads_ = false;
  hit_for_miss_ = false;
  went_for_slice_ = false;
}

void Exchange::fetch_error_page(const snapshot::ErrorPage& page) {
  stand_in_ = {.error_status = page.error_code, .response_status = page.response_code};
  forget_what_was_found();
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
  if (pin_) {
    record.generation = pin_->label;
    record.lane = pin_->lane;
  }
  record.proxy_error = proxy_error_;
  record.details = details_;
  record.waf_matched = matched_rules();
  if (!refused_by_.empty()) {
    record.waf_rule = refused_by_;
  } else if (decision_.inspection != nullptr && decision_.inspection->rule != nullptr) {
    record.waf_rule = decision_.inspection->rule->name;
  }
  if (served_) record.content_type = http::find(served_->fields(), "content-type").value_or("");
  record.status = sender_.started() ? request_.res.status : 0;
  record.reason = reason_;
  record.outcome = outcome_;
  record.from_disk = from_disk_ && !went_forward(outcome_);
  record.bytes_sent = request_.bytes_sent;
  record.bytes_received = received_;
  record.duration_us = microseconds(now - began_);
  record.time_to_first_byte_us = sender_.started() ? microseconds(first_octet_ - began_) : 0;
  record.warming = facts_.warming;
  record.aborted = !sender_.finished();
  if (sender_.finished() && record.bytes_sent != 0) {
    record.coding = coding_;
    record.identity_bytes = identity_length_;
  }
  worker_.record(record);
}

}  // namespace headgate::server
