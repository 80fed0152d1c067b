// SPDX-License-Identifier: MIT
// Counters that cost a hit a nanosecond: every worker adds to cells of its own, a scrape sums them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/limit.h"
#include "appliance/observe/record.h"
#include "appliance/observe/tally.h"

namespace headgate::observe {

/// What a connection with a client is made of.
enum class Transport : std::uint8_t { Tcp, Tls, Quic, kCount };

/// What happens to datagrams outside of connections, and to connections that move.
enum class QuicEvent : std::uint8_t {
  Forwarded,           ///< came to a worker that passed it on to the connection's
  Dropped,             ///< belonged to nothing, or came when there was no room for it
  VersionNegotiation,  ///< was answered with the versions that the edge speaks
  Retry,               ///< was answered with a token that proves the client's address
  StatelessReset,      ///< was of a connection that is no more, and was told so
  Migration,           ///< a client's new address was validated
  kCount,
};

/// A worker's cells. Threads: `record` and the gauges on the worker's own; scraped from any.
class WorkerMetrics {
 public:
  WorkerMetrics();
  ~WorkerMetrics();
  void record(const RequestRecord& record);
  // What is not a request.
  void connection_opened(Transport transport);
  void connection_closed();
  void tls_handshake_failed();
  void quic_event(QuicEvent event);
  void limit_exceeded(guard::Limit limit);
  /// What came was no request of HTTP/1.
  void malformed_request();
  void origin_request_started();
  void origin_request_ended(bool failed);

 private:
  void tally(const RequestRecord& record);
  friend class Metrics;
  struct Cells;
  std::unique_ptr<Cells> cells_;
};

/// One sample of what others measure, added at scrape time.
struct Sample {
  std::string labels;  ///< `state="applied"` or empty
  double value = 0;
};
struct Family {
  std::string name;  ///< headgate_…
  std::string help;
  std::string type;  ///< counter or gauge
  std::vector<Sample> samples;
};

/// What has been served since the start, of all distributions.
struct Totals {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;   ///< 5xx
  std::uint64_t lookups = 0;  ///< requests that asked the cache
  std::uint64_t hits = 0;
  std::uint64_t bytes_sent = 0;        ///< of bodies
  std::uint64_t connections_open = 0;  ///< now
};

/// The registry: workers' cells, and families that others contribute.
/// Threads: any.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  WorkerMetrics& add_worker();
  /// A number for a pair of distribution and behavior, the same for the same pair; bounded, the
  /// rest share slot 0 ("other").
  std::uint32_t slot(std::string_view distribution, std::string_view behavior);
  /// What was counted in `lane` since the start, by pairs; without those that share slot 0.
  std::vector<SlotTally> tallies(std::uint8_t lane) const;
  /// `collect` is called at every scrape.
  void contribute(std::function<std::vector<Family>()> collect);
  Totals totals() const;
  /// The Prometheus text format, version 0.0.4.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headgate::observe
