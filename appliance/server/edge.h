// SPDX-License-Identifier: MIT
// The edge: listeners, workers, the cache they share, and the snapshot that they serve.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "appliance/cache/purge/sweep.h"
#include "appliance/cache/store/store.h"
#include "appliance/cache/tier/disk_tier.h"
#include "appliance/guard/client_address.h"
#include "appliance/observe/access_log.h"
#include "appliance/observe/metrics.h"
#include "appliance/server/connection/listen.h"
#include "appliance/server/transfer/encoding.h"
#include "appliance/snapshot/snapshot.h"
#include "schema/base/result.h"
#include "schema/model/resources.h"

namespace headgate::server {

/// The secret that connection ids and tokens of QUIC are made with.
using QuicSeed = std::array<std::uint8_t, 32>;
/// From the system's random number generator.
QuicSeed random_quic_seed();

struct EdgeOptions {
  std::vector<std::string> http;  ///< ADDR:PORT; port 0 takes a free one
  std::vector<std::string> https;
  unsigned threads = 1;
  std::uint64_t cache_memory = 0;
  cache::Policy::Kind cache_eviction = cache::Policy::Kind::S3Fifo;
  std::shared_ptr<cache::DiskTier> cache_disk;  ///< not started yet; null: none
  guard::TrustedProxies trusted_proxies;
  schema::EdgeLimits limits;
  std::string waf_debug_header;  ///< lower case; empty: responses do not tell which rules matched
  QuicSeed quic_seed = random_quic_seed();
  /// Of the process before this one. What the addresses above do not name is closed; there are as
  /// many workers as it had.
  std::vector<Listening> inherited;
  std::string qlog_folder;  ///< for a file a QUIC connection; empty: none
};

/// Threads: start, drain and the destructor from one; the rest from any.
class Edge {
 public:
  /// Binds and listens; does not serve before a snapshot is published (503 with reason
  /// no_configuration until then).
  static Result<std::unique_ptr<Edge>> start(EdgeOptions options,
                                             snapshot::SnapshotHolder& snapshots,
                                             observe::Metrics& metrics,
                                             observe::AccessLog* access_log);
  virtual ~Edge() = default;
  /// "127.0.0.1:8080" with the real port, in the order of the options.
  virtual std::vector<std::string> http_addresses() const = 0;
  virtual std::vector<std::string> https_addresses() const = 0;
  /// Serves one end of a connection by which the edge asks itself for what viewers will ask for:
  /// HTTP/1.1 without TLS, on no listener that anybody else could reach. Its requests go the way of
  /// viewers' requests, except that geo restrictions and limits for viewers do not hold, and that
  /// an origin which is down is not asked more than its breaker allows. `fd`, a connected stream
  /// socket, becomes the edge's.
  virtual void serve_internal(int fd) = 0;
  virtual cache::StoreStats cache_stats() const = 0;
  virtual cache::MissCurveStats miss_curve() const = 0;
  virtual EncodingStats encoding_stats() const = 0;
  /// Octets of bodies that are held back while rules of web ACLs look at them.
  virtual std::uint64_t held_body_octets() const = 0;
  /// The last requests of viewers, as lines of the access log: a few ten thousand a worker. Waits
  /// for the workers, for 5 s at most; of those that do not answer there are none.
  virtual std::string recent_requests() = 0;
  /// What follows a purge in the background; see cache::sweep. Threads: one at a time.
  virtual cache::Swept sweep(const cache::PurgeTable& purges) = 0;
  /// What a purge would touch; see cache::count_selected. Threads: any.
  virtual std::vector<cache::Selected> count_selected(const cache::PurgeTable& purges) = 0;
  /// What another process needs to serve in this one's place. The sockets stay this edge's and are
  /// served on; the channels become the caller's. Errors: Blame::Self, when there are no
  /// descriptors left.
  virtual Result<std::vector<Listening>> offer() = 0;
  /// It did not come.
  virtual void withdraw() = 0;
  /// Closes the listeners, lets what is under way finish. With an offer nobody who uses a
  /// connection notices: idle ones wait for one more request or their timeout.
  virtual void drain() = 0;
  /// Whether all is done, for which it waits as long as `limit`.
  virtual bool wait_until_idle(Duration limit) = 0;
};

}  // namespace headgate::server
