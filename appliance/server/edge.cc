// SPDX-License-Identifier: MIT
#include "appliance/server/edge.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <optional>

#include "appliance/base/mutex.h"
#include "appliance/cache/simulate/curve_thread.h"
#include "appliance/server/connection/listen.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

class RunningEdge final : public Edge {
 public:
  RunningEdge(EdgeOptions options, snapshot::SnapshotHolder& snapshots, observe::Metrics& metrics,
              observe::AccessLog* access_log, std::unique_ptr<Tls> tls, std::unique_ptr<Quic> quic)
      : commons_(std::move(options), snapshots, metrics, access_log, std::move(tls),
                 std::move(quic)) {
    for (unsigned i = 0; i < commons_.options.threads; ++i)
      workers_.push_back(std::make_unique<Worker>(commons_));
  }

  ~RunningEdge() override {
    for (const auto& worker : workers_) worker->stop();
  }

  Status bind() {
    for (const auto& address : commons_.options.http) {
      HG_TRY(const Bound bound, add(address, false), "http");
      http_.push_back(bound.address);
    }
    for (const auto& address : commons_.options.https) {
      HG_TRY(const Bound bound, add(address, true), "https");
      if (https_.empty()) commons_.https_port = bound.port;
      https_.push_back(bound.address);
    }
    return {};
  }

  void start() {
    curve_thread_.emplace(commons_.store.miss_curve());
    for (const auto& worker : workers_) worker->start();
  }

  std::vector<std::string> http_addresses() const override { return http_; }
  std::vector<std::string> https_addresses() const override { return https_; }
  void serve_internal(int fd) override {
    workers_[next_worker_.fetch_add(1) % workers_.size()]->add_internal(fd);
  }
  cache::StoreStats cache_stats() const override { return commons_.store.stats(); }
  cache::MissCurveStats miss_curve() const override { return commons_.store.miss_curve().stats(); }
  cache::Swept sweep(const cache::PurgeTable& purges) override {
    return cache::sweep(commons_.store, commons_.fills, purges);
  }
  std::vector<cache::Selected> count_selected(const cache::PurgeTable& purges) override {
    return cache::count_selected(commons_.store, purges);
  }

  EncodingStats encoding_stats() const override { return commons_.encodings.stats(); }
  std::uint64_t held_body_octets() const override { return commons_.held_bodies.octets(); }

  void drain(Duration limit) override {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    busy_ = workers_.size();
    for (const auto& worker : workers_) {
      worker->drain([this] {
        const base::MutexLock lock(mutex_);
        --busy_;
        idle_.notify_all();
      });
    }
    base::MutexLock lock(mutex_);
    while (busy_ != 0 && lock.wait_until(idle_, deadline) == std::cv_status::no_timeout) {
    }
  }

 private:
  Result<Bound> add(const std::string& address, bool tls) {
    auto bound = listen_on(address, static_cast<unsigned>(workers_.size()),
                           tls ? Datagrams::Too : Datagrams::No);
    if (!bound) return bound;
    for (std::size_t i = 0; i < workers_.size(); ++i)
      workers_[i]->add_listener(bound->descriptors[i], tls);
    if (!tls) return bound;
    steer_by_connection_id(bound->datagrams);
    QuicGroup& group = *quic_groups_.emplace_back(std::make_unique<QuicGroup>());
    for (unsigned i = 0; i < workers_.size(); ++i)
      group.push_back(&workers_[i]->add_endpoint(bound->datagrams[i], i, group));
    return bound;
  }

  Commons commons_;
  std::vector<std::unique_ptr<QuicGroup>> quic_groups_;  ///< one an https address
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<cache::CurveThread> curve_thread_;
  std::vector<std::string> http_;
  std::vector<std::string> https_;
  std::atomic<std::size_t> next_worker_{0};  ///< to take the next internal connection
  base::Mutex mutex_;
  std::condition_variable idle_;
  std::size_t busy_ = 0;
};

}  // namespace

Result<std::unique_ptr<Edge>> Edge::start(EdgeOptions options, snapshot::SnapshotHolder& snapshots,
                                          observe::Metrics& metrics,
                                          observe::AccessLog* access_log) {
  if (options.threads == 0) options.threads = 1;
  HG_TRY(auto tls,
         Tls::make(snapshots, {Connections::handshake_failed, Connections::admit_handshake,
                               Connections::client_hello}),
         "edge");
  HG_TRY(auto quic_tls, QuicTls::make(snapshots, tls->self_signed(), options.quic_seed), "edge");
  std::unique_ptr<Quic> quic(new Quic{QuicSecrets(options.quic_seed), std::move(quic_tls)});
  auto edge = std::make_unique<RunningEdge>(std::move(options), snapshots, metrics, access_log,
                                            std::move(tls), std::move(quic));
  HG_CHECK(edge->bind(), "edge");
  edge->start();
  return std::unique_ptr<Edge>(std::move(edge));
}

}  // namespace headgate::server
