// SPDX-License-Identifier: MIT
// All that is known of a request when it is over: the one thing that logs and metrics are made of.
#pragma once

#include <cstdint>
#include <string_view>

#include "appliance/base/ip_address.h"
#include "appliance/base/time.h"
#include "appliance/guard/reason.h"
#include "appliance/http/accept_encoding.h"

namespace headgate::observe {

/// How the cache took part; cache.md section 5.
enum class CacheOutcome : std::uint8_t {
  Bypass,  ///< the cache was not asked: method, policy, answered by the edge itself
  Miss,
  HitForMiss,  ///< known not to be shareable: went alone
  FreshHit,
  StaleHit,  ///< stale-while-revalidate or stale-if-error
  RevalidatedHit,
  CollapsedHit,  ///< streamed from another request's fetch
  Error,         ///< the origin failed
  kCount,
};
std::string_view name(CacheOutcome outcome);

/// Views are valid during `record` only, and hold what the client sent: whoever writes them escapes
/// them.
struct RequestRecord {
  base::WallTime time{};  ///< of the request's arrival
  base::IpAddress client;
  std::uint16_t client_port = 0;
  std::string_view country;
  std::string_view method;
  std::string_view scheme;
  std::string_view host;
  std::string_view target;       ///< path and query as sent
  std::string_view protocol;     ///< HTTP/1.0, HTTP/1.1, HTTP/2, HTTP/3
  std::string_view tls_version;  ///< empty over cleartext
  std::string_view user_agent;
  std::string_view referer;
  std::string_view request_id;
  std::string_view distribution;
  std::string_view behavior;
  std::string_view origin;      ///< who answered, when an origin was asked
  std::string_view generation;  ///< 412-9f3c2ab
  std::string_view
      proxy_error;  ///< RFC 9209 error type when the edge made the response because of an error
  std::string_view details;      ///< of that error
  std::string_view waf_rule;     ///< that decided, by refusing or allowing
  std::string_view waf_matched;  ///< all rules that matched, in their order, comma-separated
  std::string_view content_type;
  int status = 0;  ///< 0: the client left before there was one
  int origin_status = 0;
  guard::Reason reason = guard::Reason::None;
  CacheOutcome outcome = CacheOutcome::Bypass;
  bool from_disk = false;            ///< a hit there, not in memory
  std::uint64_t bytes_sent = 0;      ///< of the body
  std::uint64_t bytes_received = 0;  ///< of the body
  std::uint64_t duration_us = 0;
  std::uint64_t time_to_first_byte_us = 0;
  http::Coding coding = http::Coding::Identity;  ///< that the edge sent the body in
  std::uint64_t identity_bytes = 0;              ///< of that body without it; with `coding` only
  bool warming = false;                          ///< the edge asked itself: no viewer's request
  bool aborted = false;                          ///< the client left, or the origin failed midway
  std::uint32_t metric_slot = 0;  ///< of distribution and behavior: see Metrics::slot
  std::uint8_t lane = 0;          ///< of the generation: see tally.h
};

}  // namespace headgate::observe
