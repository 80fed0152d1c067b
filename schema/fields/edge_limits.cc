// SPDX-License-Identifier: MIT
#include "schema/fields/edge_limits.h"

#include "schema/fields/envelope.h"

namespace headgate::schema {
namespace {

constexpr std::int64_t kKiB = 1 << 10;
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kHighestRate = 1'000'000;
/// RFC 9113 section 6.5.2.
constexpr std::int64_t kSmallestWindow = 65535;
constexpr std::int64_t kLargestWindow = 16 * kMiB;

void http2_fields(Object<EdgeHttp2Limits>& o) {
  o.field("maxConcurrentStreams", &EdgeHttp2Limits::max_concurrent_streams,
          "How many requests a connection may have under way.")
      .range(1, 10000);
  o.field("maxContinuations", &EdgeHttp2Limits::max_continuations,
          "How many CONTINUATION frames a header section may take.")
      .range(0, 1000);
  o.field("streamWindow", &EdgeHttp2Limits::stream_window,
          "How much of a request's body is kept in memory while nobody takes it.")
      .range(kSmallestWindow, kLargestWindow);
  o.field("connectionWindow", &EdgeHttp2Limits::connection_window,
          "The same for all requests of a connection.")
      .range(kSmallestWindow, kLargestWindow);
  o.field("per", &EdgeHttp2Limits::per, "The time to which the numbers below apply.")
      .range(std::chrono::seconds(1), std::chrono::hours(1));
  o.field("maxResets", &EdgeHttp2Limits::max_resets,
          "Requests that the client, or an error of the client's, ends before their response has "
          "been sent; 0 is no limit, here and below.");
  o.field("maxPings", &EdgeHttp2Limits::max_pings, "PING frames.");
  o.field("maxSettings", &EdgeHttp2Limits::max_settings, "SETTINGS frames.");
  o.field("maxPriorities", &EdgeHttp2Limits::max_priorities, "PRIORITY frames.");
  o.field("maxWindowUpdates", &EdgeHttp2Limits::max_window_updates,
          "WINDOW_UPDATE frames, besides one for every 512 octets that the client was sent.");
  o.field("maxEmptyData", &EdgeHttp2Limits::max_empty_data,
          "DATA frames that neither carry nor end anything.");
  o.field("maxUseless", &EdgeHttp2Limits::max_useless,
          "Frames without any effect: of unknown types, for closed streams.");
  o.check([](EdgeHttp2Limits& limits, const Node& node, Decoder& decoder) {
    if (limits.connection_window >= limits.stream_window) return;
    const Node* at = node.find("connectionWindow");
    if (at == nullptr) at = node.find("streamWindow");
    decoder.error(Code::Combination, at == nullptr ? node.mark : at->key_mark,
                  "`connectionWindow` is smaller than `streamWindow`",
                  "no stream could use its window: raise the one or lower the other");
  });
}

void connection_fields(Object<EdgeLimits>& o) {
  o.field("maxConnections", &EdgeLimits::max_connections,
          "How many connections of viewers may be open.")
      .at_least(1);
  o.field("maxConnectionsPerAddress", &EdgeLimits::max_connections_per_address,
          "How many of one address, which with IPv6 is a /64; 0 is no limit, here and below. Does "
          "not hold for trusted proxies themselves.");
  o.field("acceptRate", &EdgeLimits::accept_rate, "New connections a second, averaged over ten.")
      .range(0, kHighestRate);
  o.field("acceptRatePerAddress", &EdgeLimits::accept_rate_per_address, "The same for one address.")
      .range(0, kHighestRate);
  o.field("handshakeRate", &EdgeLimits::handshake_rate,
          "TLS handshakes a second, averaged over ten.")
      .range(0, kHighestRate);
  o.field("handshakeRatePerAddress", &EdgeLimits::handshake_rate_per_address,
          "The same for one address.")
      .range(0, kHighestRate);
  o.field("handshakeTimeout", &EdgeLimits::handshake_timeout, "How long a handshake may take.")
      .at_least(100);
  o.field("idleTimeout", &EdgeLimits::idle_timeout,
          "How long a connection may be idle between requests.")
      .at_least(100);
}

void limits_fields(Object<EdgeLimits>& o) {
  static const Object<EdgeHttp2Limits> http2(
      "EdgeHttp2Limits", "What one connection of HTTP/2 may cost.", http2_fields);
  connection_fields(o);
  o.field("requestHeaderTimeout", &EdgeLimits::request_header_timeout,
          "How long the head of a request may take.")
      .at_least(100);
  o.field("maxUrl", &EdgeLimits::max_url, "The longest path and query of a request: 414.")
      .range(64, 64 * kKiB);
  o.field("maxHeaderSize", &EdgeLimits::max_header_size,
          "The most octets of all header fields of a request, unpacked: 431.")
      .range(1 * kKiB, 1 * kMiB);
  o.field("maxHeaders", &EdgeLimits::max_headers,
          "The most header fields of a request; HTTP/2 clients may send one for each cookie: 431.")
      .range(16, 10000);
  o.field("maxRequestBody", &EdgeLimits::max_request_body, "The largest body of a request: 413.");
  o.field("maxHeldBodies", &EdgeLimits::max_held_bodies,
          "The most octets of all bodies that are held back while rules of web ACLs look at them: "
          "503. Of a response no more is looked at then.")
      .at_least(64 * kKiB);
  o.field("bodyTimeout", &EdgeLimits::body_timeout,
          "How long a body that is waited for may make no progress: 408.")
      .at_least(100);
  o.field("minUploadRate", &EdgeLimits::min_upload_rate,
          "How many octets of it have to come a second, on average, once it has been waited for "
          "20 seconds; 0 is no limit: 408.");
  o.field("sendTimeout", &EdgeLimits::send_timeout,
          "How long a client may take less than `minSend` of what waits for it; 0s is for ever.");
  o.field("minSend", &EdgeLimits::min_send, "How much it has to take within `sendTimeout`.")
      .range(1, 16 * kMiB);
  o.field("http2", &EdgeLimits::http2, http2,
          "What one connection of HTTP/2 may cost; `maxConcurrentStreams` and `maxResets` hold for "
          "HTTP/3, too.");
}

}  // namespace

const Object<EdgeLimits>& edge_limits_table() {
  static const Object<EdgeLimits> table("EdgeLimits", "What viewers may ask of the machine.",
                                        limits_fields);
  return table;
}

}  // namespace headgate::schema
