// SPDX-License-Identifier: MIT
// One thread of the edge: a loop, its listeners and connections, and a client to the origins.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "appliance/cache/fill/fill.h"
#include "appliance/cache/store/store.h"
#include "appliance/guard/admission.h"
#include "appliance/guard/held_bodies.h"
#include "appliance/guard/waf/rules/scratch.h"
#include "appliance/observe/access_log.h"
#include "appliance/observe/metrics.h"
#include "appliance/observe/request_ring.h"
#include "appliance/origin/client.h"
#include "appliance/server/connection/connections.h"
#include "appliance/server/connection/tls.h"
#include "appliance/server/edge.h"
#include "appliance/server/h2o.h"
#include "appliance/server/h2o_loop.h"
#include "appliance/server/h3/quic/endpoint.h"
#include "appliance/server/local_snapshot.h"
#include "appliance/server/transfer/fetch_job.h"

namespace headgate::server {

/// What the workers' QUIC endpoints share. Threads: any.
struct Quic {
  QuicSecrets secrets;
  std::unique_ptr<QuicTls> tls;
};

/// What the workers share. Threads: each member says.
struct Commons {
  Commons(EdgeOptions options_, snapshot::SnapshotHolder& snapshots_, observe::Metrics& metrics_,
          observe::AccessLog* access_log_, std::unique_ptr<Tls> tls_, std::unique_ptr<Quic> quic_);
  ~Commons();

  const EdgeOptions options;
  snapshot::SnapshotHolder& snapshots;
  observe::Metrics& metrics;
  observe::AccessLog* access_log;
  const std::unique_ptr<Tls> tls;
  const std::unique_ptr<Quic> quic;
  guard::Admission admission;
  guard::HeldBodies held_bodies;
  cache::Store store;
  cache::FillTable fills;
  cache::UriInvalidations changes;
  Encodings encodings;
  std::atomic<std::uint32_t> connections{0};
  std::uint16_t https_port = 443;  ///< of the first https listener
  h2o_globalconf_t h2o{};          ///< immutable once the workers run
};

/// Threads: constructed and destroyed by the edge's; `start` begins the worker's own, to which
/// everything else belongs.
class Worker {
 public:
  explicit Worker(Commons& commons);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Takes over bound, listening descriptors. Before `start`.
  void add_listener(int fd, bool tls);
  /// Takes over a descriptor bound to UDP; the endpoint is number `number` of `group`, which is
  /// complete before `start`.
  /// `predecessor`: -1, or the end of a HandoverChannel.
  QuicEndpoint& add_endpoint(int fd, unsigned number, const QuicGroup& group, int predecessor);
  void start();
  /// See Edge::serve_internal. Threads: any.
  void add_internal(int fd);
  /// For each endpoint the end of a HandoverChannel that becomes its own, or -1; see
  /// QuicEndpoint::set_successor. Threads: any.
  void set_successors(std::vector<int> channels);
  /// Closes listeners and idle connections, lets requests finish; `on_idle` is called once on the
  /// worker's thread when no connection is left. Threads: any.
  void drain(Idle idle, base::UniqueFunction<void()> on_idle);
  /// Ends what is left and the thread. Threads: the edge's.
  void stop();

  Commons& commons() { return commons_; }
  H2oLoop& loop() { return loop_; }
  LocalSnapshot& snapshots() { return snapshots_; }
  observe::WorkerMetrics& metrics() { return metrics_; }
  guard::waf::Scratch& waf_scratch() { return waf_scratch_; }
  FetchContext fetch_context() {
    return {loop_,
            origins_,
            commons_.store,
            commons_.fills,
            commons_.changes,
            commons_.encodings,
            commons_.held_bodies,
            metrics_,
            jobs_};
  }
  void record(const observe::RequestRecord& record);
  /// Calls `take` on the worker's thread with the last requests; see RequestRing::lines.
  /// Threads: any.
  void give_recent_requests(base::UniqueFunction<void(std::string lines)> take);
  /// A name for a request that no other has, 24 hexadecimal digits. Returns a number in [0, 100)
  /// that is spread evenly over requests, for sampling.
  double make_request_id(std::array<char, 25>& out);

  /// The worker whose context `context` is.
  static Worker& of(h2o_context_t* context);

 private:
  struct Context {
    h2o_context_t super;  // first: libh2o hands it back
    Worker* worker;
  };
  void flush_log();
  void drain_all(Idle idle);
  std::size_t connection_count() const;
  void end_what_is_left();

  Commons& commons_;
  H2oLoop loop_;
  Context context_{};
  observe::WorkerMetrics& metrics_;
  std::unique_ptr<observe::AccessLog::Channel> log_;
  observe::RequestRing recent_requests_;
  base::Timer log_timer_;
  origin::Client origins_;
  Jobs jobs_;
  LocalSnapshot snapshots_;
  Connections connections_;
  guard::waf::Scratch waf_scratch_;
  std::vector<std::unique_ptr<QuicEndpoint>> endpoints_;
  std::size_t draining_ = 0;  ///< of connections_ and endpoints_: those that still have connections
  base::UniqueFunction<void()> on_idle_;
  std::uint64_t id_prefix_;
  std::uint32_t id_counter_ = 0;
  std::thread thread_;
};

}  // namespace headgate::server
