// SPDX-License-Identifier: MIT
// What viewers may ask of the machine: `limits` of `kind: Edge`.
#pragma once

#include <chrono>
#include <cstdint>

#include "schema/base/units.h"

namespace headgate::schema {

/// What one connection of HTTP/2 may cost.
struct EdgeHttp2Limits {
  std::uint32_t max_concurrent_streams = 100;
  std::uint32_t max_continuations = 16;  ///< CONTINUATION frames of one header section
  std::uint64_t stream_window = std::uint64_t{256} << 10;
  std::uint64_t connection_window = std::uint64_t{1} << 20;
  /// Frames that may come within `per`, each kind for itself; 0: no limit.
  Duration per = std::chrono::seconds(10);
  std::uint32_t max_resets = 200;  ///< streams that end early by RST_STREAM of either side
  std::uint32_t max_pings = 500;
  std::uint32_t max_settings = 100;
  std::uint32_t max_priorities = 1000;
  std::uint32_t max_window_updates = 10000;  ///< beyond one for every 512 octets sent
  std::uint32_t max_empty_data = 500;
  std::uint32_t max_useless = 1000;  ///< unknown types, and what comes for streams that are closed
};

/// Rates are a second's, averaged over ten; an address of IPv6 is its /64; 0: no limit.
struct EdgeLimits {
  // Connections.
  std::uint32_t max_connections = 65536;
  std::uint32_t max_connections_per_address = 4096;
  std::uint32_t accept_rate = 0;
  std::uint32_t accept_rate_per_address = 0;
  std::uint32_t handshake_rate = 0;
  std::uint32_t handshake_rate_per_address = 0;
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::seconds(60);
  // The head of a request.
  Duration request_header_timeout = std::chrono::seconds(10);
  std::uint64_t max_url = std::uint64_t{16} << 10;
  std::uint64_t max_header_size = std::uint64_t{64} << 10;
  std::uint32_t max_headers = 256;
  // Its body.
  std::uint64_t max_request_body = std::uint64_t{1} << 30;
  std::uint64_t max_held_bodies = std::uint64_t{256} << 20;
  Duration body_timeout = std::chrono::seconds(30);
  std::uint64_t min_upload_rate = 500;  ///< octets a second
  // The response.
  Duration send_timeout = std::chrono::seconds(60);
  std::uint64_t min_send = std::uint64_t{8} << 10;  ///< octets to be taken within send_timeout
  EdgeHttp2Limits http2;
};

}  // namespace headgate::schema
