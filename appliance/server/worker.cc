// SPDX-License-Identifier: MIT
#include "appliance/server/worker.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <utility>

#include "appliance/base/background.h"
#include "appliance/server/connection/limits.h"
#include "appliance/server/exchange/exchange.h"

namespace headgate::server {
namespace {

constexpr Duration kLogFlushInterval = std::chrono::milliseconds(100);

/// Octets for the last requests of one worker: tens of thousands of requests of them all.
std::size_t recent_requests_size(unsigned workers) {
  constexpr std::size_t kAll = 16 << 20;
  return std::clamp<std::size_t>(kAll / workers, 256 << 10, 4 << 20);
}

int on_request(h2o_handler_t*, h2o_req_t* request) {
  Exchange::begin(*request, Worker::of(request->conn->ctx));
  return 0;
}

/// Closes the descriptor when the loop has ended before it could be handed over.
class Handover {
 public:
  explicit Handover(int fd) : fd_(fd) {}
  Handover(Handover&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handover(const Handover&) = delete;
  ~Handover() {
    if (fd_ >= 0) close(fd_);
  }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

void configure(h2o_globalconf_t& h2o, const EdgeOptions& options) {
  h2o_config_init(&h2o);
  h2o.server_name = h2o_iovec_init(nullptr, 0);
  h2o.stream_request_body = 1;
  h2o.http1.upgrade_to_http2 = 0;  // RFC 9113 section 3.1 has dropped it
  h2o.http1.accept_http2_preface = 1;
  configure_limits(h2o, options.limits);

  // One host and one path for everything: routing is the snapshot's business.
  h2o_hostconf_t* host =
      h2o_config_register_host(&h2o, h2o_iovec_init(H2O_STRLIT("default")), 65535);
  h2o_pathconf_t* path = h2o_config_register_path(host, "/", 0);
  h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_request;
  h2o_handler_t* rest = h2o_create_handler(&host->fallback_path, sizeof(h2o_handler_t));
  rest->on_req = on_request;
}

}  // namespace

Commons::Commons(EdgeOptions options_, snapshot::SnapshotHolder& snapshots_,
                 observe::Metrics& metrics_, observe::AccessLog* access_log_,
                 std::unique_ptr<Tls> tls_, std::unique_ptr<Quic> quic_)
    : options(std::move(options_)),
      snapshots(snapshots_),
      metrics(metrics_),
      access_log(access_log_),
      tls(std::move(tls_)),
      quic(std::move(quic_)),
      admission(options.limits),
      held_bodies(options.limits.max_held_bodies),
      store(options.cache_memory, options.threads, options.cache_eviction),
      encodings((options.threads + 1) / 2) {
  if (options.cache_disk != nullptr) {
    changes.start_at(options.cache_disk->first_change());
    store.set_disk(options.cache_disk.get());
  }
  configure(h2o, options);
}

Commons::~Commons() { h2o_config_dispose(&h2o); }

Worker::Worker(Commons& commons)
    : commons_(commons),
      metrics_(commons.metrics.add_worker()),
      log_(commons.access_log == nullptr ? nullptr : commons.access_log->add_worker()),
      recent_requests_(recent_requests_size(commons.options.threads)),
      log_timer_(loop_.timers(), [this] { flush_log(); }),
      origins_(loop_),
      snapshots_(commons.snapshots),
      connections_(commons, loop_, context_.super, metrics_),
      id_prefix_((std::uint64_t{std::random_device{}()} << 32) | std::random_device{}()) {
  h2o_context_init(&context_.super, loop_.h2o(), &commons_.h2o);
  context_.worker = this;
}

Worker::~Worker() {
  endpoints_.clear();  // their connections are libh2o's too
  h2o_context_dispose(&context_.super);
  std::free(context_.super.queue);  // destroyed by the above, but not freed
}

Worker& Worker::of(h2o_context_t* context) {
  return *H2O_STRUCT_FROM_MEMBER(Context, super, context)->worker;
}

void Worker::add_listener(int fd, bool tls) { connections_.add_listener(fd, tls); }

void Worker::add_internal(int fd) {
  loop_.post([this, end = Handover(fd)]() mutable { connections_.add_internal(end.release()); });
}

QuicEndpoint& Worker::add_endpoint(int fd, unsigned number, const QuicGroup& group,
                                   int predecessor) {
  endpoints_.push_back(std::make_unique<QuicEndpoint>(commons_, loop_, context_.super, metrics_, fd,
                                                      number, group, predecessor));
  return *endpoints_.back();
}

void Worker::set_successors(std::vector<int> channels) {
  loop_.post([this, channels = std::move(channels)] {
    for (std::size_t i = 0; i < endpoints_.size(); ++i) endpoints_[i]->set_successor(channels[i]);
  });
}

void Worker::start() {
  thread_ = std::thread([this] {
    // Signals are for the main thread.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    pthread_setname_np(pthread_self(), "headgate-worker");
    base::work_in_foreground();
    if (log_ != nullptr) log_timer_.schedule_after(kLogFlushInterval);
    loop_.run();
  });
}

void Worker::drain(Idle idle, base::UniqueFunction<void()> on_idle) {
  loop_.post([this, idle, call = std::move(on_idle)]() mutable {
    on_idle_ = std::move(call);
    drain_all(idle);
  });
}

void Worker::drain_all(Idle idle) {
  draining_ = 1 + endpoints_.size();
  const auto one_is_idle = [this] {
    if (--draining_ == 0) on_idle_();
  };
  for (const auto& endpoint : endpoints_) endpoint->drain(one_is_idle);
  connections_.drain(idle, one_is_idle);
}

std::size_t Worker::connection_count() const {
  std::size_t count = connections_.count();
  for (const auto& endpoint : endpoints_) count += endpoint->count();
  return count;
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    connections_.abort_all();
    for (const auto& endpoint : endpoints_) endpoint->abort_all();
    end_what_is_left();
  });
  thread_.join();
}

void Worker::end_what_is_left() {
  while (!jobs_.empty()) jobs_.begin()->second->cancel();
  if (connection_count() != 0) {
    loop_.post([this] { end_what_is_left(); });
    return;
  }
  if (log_ != nullptr) log_->flush();
  // Once more around, so that what the last jobs posted has run.
  loop_.post([this] { loop_.stop(); });
}

void Worker::record(const observe::RequestRecord& record) {
  if (!record.warming) {  // they are about viewers' requests
    metrics_.record(record);
    recent_requests_.add(record);
  }
  if (log_ != nullptr) log_->write(record);
}

void Worker::give_recent_requests(base::UniqueFunction<void(std::string)> take) {
  loop_.post([this, call = std::move(take)]() mutable { call(recent_requests_.lines()); });
}

void Worker::flush_log() {
  log_->flush();
  log_timer_.schedule_after(kLogFlushInterval);
}

double Worker::make_request_id(std::array<char, 25>& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const std::uint32_t number = id_counter_++;
  std::uint64_t high = id_prefix_;
  std::uint32_t low = number;
  for (std::size_t i = 16; i-- > 0; high >>= 4) out[i] = kDigits[high & 15];
  for (std::size_t i = 24; i-- > 16; low >>= 4) out[i] = kDigits[low & 15];
  out[24] = '\0';
  // Multiplying by 2^32 divided by the golden ratio spreads consecutive numbers evenly (Knuth,
  // volume 3, section 6.4).
  return number * 2654435769U * (100.0 / 4294967296.0);
}

}  // namespace headgate::server
