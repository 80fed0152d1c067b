// SPDX-License-Identifier: MIT
// A worker's end of one UDP address: whose each datagram is, which connections there are, and when
// each of them wants to be called.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "appliance/base/block_pool.h"
#include "appliance/base/ip_address.h"
#include "appliance/base/unique_function.h"
#include "appliance/guard/limit.h"
#include "appliance/observe/metrics.h"
#include "appliance/server/h2o.h"
#include "appliance/server/h2o_loop.h"
#include "appliance/server/h3/crypto/secrets.h"
#include "appliance/server/h3/crypto/tls.h"
#include "appliance/server/h3/quic/connection.h"
#include "appliance/server/h3/quic/handover_channel.h"
#include "appliance/server/h3/quic/udp_socket.h"

namespace headgate::server {

struct Commons;
class QuicEndpoint;

/// The endpoints of one address, by worker. Filled before the workers run, immutable from then on.
using QuicGroup = std::vector<QuicEndpoint*>;

/// Datagrams go where their connection id says (QuicSecrets): the kernel steers them, and what it
/// steers wrongly, because a client's own id or a restart confuse it, is passed on by whoever gets
/// it. In a hand-over two processes have one socket: the new one reads it, and passes on to the old
/// one what has an id of this address that it does not know; what the old one does not know either
/// comes back. Threads: the worker's, but `forward`.
class QuicEndpoint {
 public:
  QuicEndpoint(Commons& commons, H2oLoop& loop, h2o_context_t& context,
               observe::WorkerMetrics& metrics, int descriptor, unsigned worker,
               const QuicGroup& group, int predecessor = -1);
  ~QuicEndpoint();
  QuicEndpoint(const QuicEndpoint&) = delete;
  QuicEndpoint& operator=(const QuicEndpoint&) = delete;

  /// A process is about to take this one's place, at the other end of `channel`, which becomes the
  /// endpoint's; -1: it did not come.
  void set_successor(int channel);
  /// No new connections: the successor, if there is one, reads the socket from now on. Those that
  /// are there are told, finish what is under way and end. `on_idle` once none is left.
  void drain(base::UniqueFunction<void()> on_idle);
  void abort_all();
  /// Connections that have not ended; those that only remember that they have do not count.
  std::size_t count() const { return serving_; }

  // For connections.
  Commons& commons() { return commons_; }
  H2oLoop& loop() { return loop_; }
  h2o_context_t& context() { return context_; }
  observe::WorkerMetrics& metrics() { return metrics_; }
  UdpSocket& socket() { return socket_; }
  /// What connections and streams, and what the libraries keep for them, are made of.
  base::BlockPool& blocks() { return blocks_; }
  base::BlockMemory& block_memory() { return block_memory_; }
  const ngtcp2_mem& quic_memory() const { return quic_memory_; }
  const nghttp3_mem& http_memory() const { return http_memory_; }
  ngtcp2_cid make_id() const;
  void add_id(const ngtcp2_cid& id, QuicConnection& connection);
  void remove_id(const ngtcp2_cid& id);
  /// `connection` has something to send, to do or to end: it is flushed soon, once.
  void schedule(QuicConnection& connection);
  /// Whether a client that has proved its address may have one more connection; if so, that counts
  /// until `connection_ended(client)`.
  bool admit(const base::IpAddress& client);
  /// A connection, or its handshake, has ended. `client` is unspecified if it was never admitted.
  void handshake_ended() { --handshakes_; }
  void connection_ended(const base::IpAddress& client);

 private:
  struct IdKey {
    std::uint8_t size = 0;
    std::array<std::uint8_t, NGTCP2_MAX_CIDLEN> octets{};
    friend bool operator==(const IdKey&, const IdKey&) = default;
  };
  struct IdHash {
    std::size_t operator()(const IdKey& key) const;
  };
  static IdKey key_of(std::span<const std::uint8_t> id);
  /// By whom a datagram came.
  enum class Via { Socket, Worker, Predecessor, Successor };
  struct Neighbour {
    HandoverChannel channel;
    std::unique_ptr<base::Loop::Watch> readable;
    bool is_gone = false;
  };

  void on_readable();
  void on_timer();
  void on_datagram(const Datagram& datagram, Via via);
  void route(const Datagram& datagram, std::span<const std::uint8_t> id, Via via);
  void meet(std::unique_ptr<Neighbour>& neighbour, int channel, Via via);
  /// Threads: any.
  void forward(const Datagram& datagram);
  void accept(const Datagram& datagram);
  void send_retry(const Datagram& datagram, const ngtcp2_pkt_hd& header);
  void send_version_negotiation(const Datagram& datagram, const ngtcp2_version_cid& ids);
  void send_stateless_reset(const Datagram& datagram, std::span<const std::uint8_t> id);
  bool may_reset();
  void refuse(const Datagram& datagram, const ngtcp2_pkt_hd& header);
  std::optional<guard::Limit> admit_handshake(const Datagram& datagram, QuicSecrets::Token token);
  void reply(std::span<const std::uint8_t> octets, const Datagram& to);
  void flush();
  void set_timer(QuicConnection& connection);
  void arm();

  Commons& commons_;
  H2oLoop& loop_;
  h2o_context_t& context_;
  observe::WorkerMetrics& metrics_;
  const unsigned worker_;
  const QuicGroup& group_;
  UdpSocket socket_;
  int timer_descriptor_;
  std::unique_ptr<base::Loop::Watch> readable_;
  std::unique_ptr<base::Loop::Watch> timer_;
  std::unique_ptr<Neighbour> predecessor_;  ///< the process before this one, while it lives
  std::unique_ptr<Neighbour> successor_;
  ngtcp2_tstamp armed_ = UINT64_MAX;

  base::BlockPool blocks_;  // before connections: they outlive none of it
  base::BlockMemory block_memory_{blocks_};
  const ngtcp2_mem quic_memory_ = memory_of<ngtcp2_mem>(blocks_);
  const nghttp3_mem http_memory_ = memory_of<nghttp3_mem>(blocks_);
  std::unordered_map<QuicConnection*, std::unique_ptr<QuicConnection>> connections_;
  std::unordered_map<IdKey, QuicConnection*, IdHash> ids_;
  std::set<std::pair<ngtcp2_tstamp, QuicConnection*>> expiries_;
  std::vector<QuicConnection*> dirty_;
  bool flushing_ = false;
  bool flush_posted_ = false;
  std::size_t serving_ = 0;
  std::size_t handshakes_ = 0;  ///< under way
  double reset_tokens_ = 0;     ///< how many stateless resets may be sent now
  ngtcp2_tstamp reset_counted_at_ = 0;
  bool draining_ = false;
  base::UniqueFunction<void()> on_idle_;
  /// Gone with the endpoint: what other workers forward is not handed to one that is no more.
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace headgate::server
