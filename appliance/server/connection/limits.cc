// SPDX-License-Identifier: MIT
#include "appliance/server/connection/limits.h"

#include <array>
#include <optional>

#include "appliance/guard/limit.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

using guard::Limit;

/// What a request-line has besides the path and query: a method, a version, an authority.
constexpr std::size_t kRequestLineRest = 1024;

std::uint64_t milliseconds(Duration duration) {
  return static_cast<std::uint64_t>(duration.count());
}

/// None for a head that is malformed, which is no matter of limits.
std::optional<Limit> limit_of(h2o_limit_t limit) {
  switch (limit) {
    case H2O_LIMIT_HANDSHAKE_TIME:
      return Limit::HandshakeTimeout;
    case H2O_LIMIT_HEAD_TIME:
      return Limit::RequestHeaderTimeout;
    case H2O_LIMIT_REQUEST_LINE:
      return Limit::MaxUrl;
    case H2O_LIMIT_HEAD_SIZE:
      return Limit::MaxHeaderSize;
    case H2O_LIMIT_CONTINUATIONS:
      return Limit::MaxContinuations;
    case H2O_LIMIT_MALFORMED:
      return std::nullopt;
    case H2O_LIMIT_BODY_TIME:
      return Limit::BodyTimeout;
    case H2O_LIMIT_BODY_RATE:
      return Limit::MinUploadRate;
    case H2O_LIMIT_BODY_SIZE:
      return Limit::MaxRequestBody;
    case H2O_LIMIT_WRITE_PROGRESS:
      return Limit::SendTimeout;
    case H2O_LIMIT_CONCURRENT_STREAMS:
      return Limit::MaxConcurrentStreams;
    default:
      break;
  }
  static constexpr std::array<Limit, H2O_HTTP2_NUM_BUDGETS> kBudgets = {
      Limit::MaxResets,        Limit::MaxPings,     Limit::MaxSettings, Limit::MaxPriorities,
      Limit::MaxWindowUpdates, Limit::MaxEmptyData, Limit::MaxUseless};
  return kBudgets.at(static_cast<std::size_t>(limit) - H2O_LIMIT_HTTP2_BUDGET);
}

void on_limit(h2o_context_t* context, h2o_limit_t limit) {
  auto& metrics = Worker::of(context).metrics();
  if (const auto exceeded = limit_of(limit)) {
    metrics.limit_exceeded(*exceeded);
  } else {
    metrics.malformed_request();
  }
}

void configure_http2(h2o_globalconf_t& h2o, const schema::EdgeHttp2Limits& limits) {
  h2o.http2.max_concurrent_streams = limits.max_concurrent_streams;
  h2o.http2.max_concurrent_requests_per_connection = limits.max_concurrent_streams;
  h2o.http2.max_continuations = limits.max_continuations;
  h2o.http2.stream_window = static_cast<std::uint32_t>(limits.stream_window);
  h2o.http2.connection_window = static_cast<std::uint32_t>(limits.connection_window);
  h2o.http2.budget.window = milliseconds(limits.per);
  auto& max = h2o.http2.budget.max;
  max[H2O_HTTP2_BUDGET_RESET] = limits.max_resets;
  max[H2O_HTTP2_BUDGET_PING] = limits.max_pings;
  max[H2O_HTTP2_BUDGET_SETTINGS] = limits.max_settings;
  max[H2O_HTTP2_BUDGET_PRIORITY] = limits.max_priorities;
  max[H2O_HTTP2_BUDGET_WINDOW_UPDATE] = limits.max_window_updates;
  max[H2O_HTTP2_BUDGET_EMPTY_DATA] = limits.max_empty_data;
  max[H2O_HTTP2_BUDGET_USELESS] = limits.max_useless;
}

}  // namespace

void configure_limits(h2o_globalconf_t& h2o, const schema::EdgeLimits& limits) {
  h2o.on_limit = on_limit;
  h2o.handshake_timeout = milliseconds(limits.handshake_timeout);
  h2o.max_request_entity_size = limits.max_request_body;
  h2o.write_progress.window = milliseconds(limits.send_timeout);
  h2o.write_progress.min_bytes = static_cast<std::uint32_t>(limits.min_send);

  h2o.http1.req_timeout = milliseconds(limits.request_header_timeout);
  h2o.http1.idle_timeout = milliseconds(limits.idle_timeout);
  h2o.http1.max_request_line = limits.max_url + kRequestLineRest;
  h2o.http1.max_header_bytes = limits.max_header_size;
  h2o.http1.max_headers = limits.max_headers;
  h2o.http1.body_timeout = milliseconds(limits.body_timeout);
  h2o.http1.body_min_rate = limits.min_upload_rate;

  h2o.http2.idle_timeout = milliseconds(limits.idle_timeout);
  h2o.http2.header_timeout = milliseconds(limits.request_header_timeout);
  h2o.http2.max_header_list_size = static_cast<std::uint32_t>(limits.max_header_size);
  h2o.http2.max_header_fields = limits.max_headers;
  h2o.http2.body_timeout = milliseconds(limits.body_timeout);
  h2o.http2.body_min_rate = limits.min_upload_rate;
  configure_http2(h2o, limits.http2);
}

}  // namespace headgate::server
