// SPDX-License-Identifier: MIT
#include "appliance/server/edge.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "appliance/base/mutex.h"
#include "appliance/cache/simulate/curve_thread.h"
#include "appliance/server/connection/listen.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

/// Lines of the access log begin with their time, in a form that sorts as text.
std::string by_time(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  constexpr std::size_t kTime = sizeof R"({"time":"2026-11-20T10:32:01.045Z")" - 1;
  std::stable_sort(lines.begin(), lines.end(), [](std::string_view a, std::string_view b) {
    return a.substr(0, kTime) < b.substr(0, kTime);
  });
  std::string sorted;
  sorted.reserve(text.size());
  for (const std::string_view line : lines) sorted += line;
  return sorted;
}

class RunningEdge final : public Edge {
 public:
  RunningEdge(EdgeOptions options, snapshot::SnapshotHolder& snapshots, observe::Metrics& metrics,
              observe::AccessLog* access_log, std::unique_ptr<Tls> tls, std::unique_ptr<Quic> quic)
      : inherited_(std::exchange(options.inherited, {})),
        commons_(std::move(options), snapshots, metrics, access_log, std::move(tls),
                 std::move(quic)) {
    for (unsigned i = 0; i < commons_.options.threads; ++i)
      workers_.push_back(std::make_unique<Worker>(commons_));
  }

  ~RunningEdge() override {
    for (const auto& worker : workers_) worker->stop();
    if (commons_.options.cache_disk != nullptr) commons_.options.cache_disk->stop();
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
    // What the settings do not name any more.
    for (const Listening& one : std::exchange(inherited_, {}))
      for (const auto* descriptors : {&one.descriptors, &one.datagrams, &one.channels})
        close_all(*descriptors);
    return {};
  }

  void start() {
    curve_thread_.emplace(commons_.store.miss_curve());
    if (commons_.options.cache_disk != nullptr)
      commons_.options.cache_disk->start(commons_.changes);
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

  std::string recent_requests() override {
    struct Gathered {
      base::Mutex mutex;
      std::condition_variable changed;
      std::string lines GUARDED_BY(mutex);
      std::size_t missing GUARDED_BY(mutex) = 0;
    };
    const auto gathered = std::make_shared<Gathered>();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    base::MutexLock lock(gathered->mutex);
    gathered->missing = workers_.size();
    for (const auto& worker : workers_) {
      worker->give_recent_requests([gathered](std::string lines) {
        const base::MutexLock guard(gathered->mutex);
        gathered->lines += lines;
        --gathered->missing;
        gathered->changed.notify_all();
      });
    }
    while (gathered->missing != 0 &&
           lock.wait_until(gathered->changed, deadline) == std::cv_status::no_timeout) {
    }
    return by_time(gathered->lines);
  }

  Result<std::vector<Listening>> offer() override {
    std::vector<Listening> offered = listening_;
    std::vector<std::vector<int>> ours(workers_.size());
    for (Listening& one : offered) {
      for (std::size_t i = 0; i < one.datagrams.size(); ++i) {
        const auto ends = HandoverChannel::make_pair();
        if (!ends) {
          for (const auto& channels : ours) close_all(channels);
          for (const Listening& other : offered) close_all(other.channels);
          return tl::unexpected<Error>(ends.error());
        }
        ours[i].push_back(ends->first);
        one.channels.push_back(ends->second);
      }
    }
    for (std::size_t i = 0; i < workers_.size(); ++i)
      workers_[i]->set_successors(std::move(ours[i]));
    offered_ = true;
    return offered;
  }

  void withdraw() override {
    for (const auto& worker : workers_)
      worker->set_successors(std::vector<int>(quic_groups_.size(), -1));
    offered_ = false;
  }

  void drain() override {
    {
      const base::MutexLock lock(mutex_);
      busy_ = workers_.size();
    }
    for (const auto& worker : workers_) {
      worker->drain(offered_ ? Idle::WithTheNext : Idle::AtOnce, [this] {
        const base::MutexLock lock(mutex_);
        --busy_;
        idle_.notify_all();
      });
    }
  }

  bool wait_until_idle(Duration limit) override {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    base::MutexLock lock(mutex_);
    while (busy_ != 0 && lock.wait_until(idle_, deadline) == std::cv_status::no_timeout) {
    }
    return busy_ == 0;
  }

 private:
  static void close_all(const std::vector<int>& descriptors) {
    for (const int descriptor : descriptors) close(descriptor);
  }

  /// What the process before this one had for that address.
  Listening take_inherited(const std::string& address, bool tls) {
    const auto found =
        std::find_if(inherited_.begin(), inherited_.end(), [&](const Listening& one) {
          return one.asked == address && one.tls == tls &&
                 one.descriptors.size() == workers_.size();
        });
    if (found == inherited_.end()) return {address, tls, {}, {}, {}};
    Listening taken = std::move(*found);
    inherited_.erase(found);
    return taken;
  }

  Result<Bound> add(const std::string& address, bool tls) {
    Listening listening = take_inherited(address, tls);
    auto bound = listening.descriptors.empty()
                     ? listen_on(address, static_cast<unsigned>(workers_.size()),
                                 tls ? Datagrams::Too : Datagrams::No)
                     : adopt(listening);
    if (!bound) return bound;
    for (std::size_t i = 0; i < workers_.size(); ++i)
      workers_[i]->add_listener(bound->descriptors[i], tls);
    if (tls) add_endpoints(bound->datagrams, listening.channels);
    listening_.push_back({address, tls, bound->descriptors, bound->datagrams, {}});
    return bound;
  }

  void add_endpoints(const std::vector<int>& datagrams, const std::vector<int>& predecessors) {
    steer_by_connection_id(datagrams);
    QuicGroup& group = *quic_groups_.emplace_back(std::make_unique<QuicGroup>());
    for (unsigned i = 0; i < workers_.size(); ++i) {
      const int predecessor = predecessors.empty() ? -1 : predecessors[i];
      group.push_back(&workers_[i]->add_endpoint(datagrams[i], i, group, predecessor));
    }
  }

  std::vector<Listening> inherited_;  ///< until `bind`
  Commons commons_;
  std::vector<std::unique_ptr<QuicGroup>> quic_groups_;  ///< one an https address
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<cache::CurveThread> curve_thread_;
  std::vector<Listening> listening_;
  bool offered_ = false;
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
  // The kernel shares requests out among the sockets that are there: each needs its worker.
  if (!options.inherited.empty())
    options.threads = static_cast<unsigned>(options.inherited.front().descriptors.size());
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
