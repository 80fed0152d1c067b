// SPDX-License-Identifier: MIT
// One QUIC connection: ngtcp2's, with its TLS, its packets and the HTTP/3 session on it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "appliance/base/ip_address.h"
#include "appliance/base/timer_heap.h"
#include "appliance/server/h3/crypto/secrets.h"
#include "appliance/server/h3/crypto/tls.h"
#include "appliance/server/h3/http/session.h"
#include "appliance/server/h3/quic/library.h"
#include "appliance/server/h3/quic/qlog.h"
#include "appliance/server/h3/quic/udp_socket.h"

namespace headgate::server {

class QuicEndpoint;

/// ```
/// Open ──CONNECTION_CLOSE of ours──▶ Closing ──3 PTO──▶ Over
///   ├────CONNECTION_CLOSE of theirs─▶ Draining ──3 PTO──▶ Over
///   └────idle, a stateless reset────────────────────────▶ Over
/// ```
/// Requests end when a connection leaves Open; what is left answers, or ignores, packets that were
/// still under way (RFC 9000 section 10.2). Nothing but `flush` calls into the pipeline of
/// requests: the call-backs of ngtcp2 and nghttp3 only note what there is to do. Threads: the
/// worker's.
class QuicConnection {
 public:
  /// For a client's first packet, `header`. Null when ngtcp2 does not take it. `original_id` is the
  /// id of the packet before the Retry that `token` answers.
  static std::unique_ptr<QuicConnection> make(QuicEndpoint& endpoint, const Datagram& first,
                                              const ngtcp2_pkt_hd& header, QuicSecrets::Token token,
                                              const ngtcp2_cid& original_id);
  ~QuicConnection();
  QuicConnection(const QuicConnection&) = delete;
  QuicConnection& operator=(const QuicConnection&) = delete;

  void receive(const Datagram& datagram);
  /// Does what there is to do, and sends what there is to send and the network has room for.
  void flush();
  void on_expiry();
  /// When `on_expiry` wants to be called; UINT64_MAX for never.
  ngtcp2_tstamp expiry() const;
  bool is_over() const { return state_ == State::Over; }

  /// No new requests: GOAWAY, and the end when what is under way is done.
  void drain();
  /// Ends now, with H3_NO_ERROR.
  void abort();

  // For the session.
  QuicEndpoint& endpoint() { return endpoint_; }
  ngtcp2_conn* native() { return native_; }
  QuicTlsSession& tls() { return *tls_; }
  const QuicAddress& peer() const { return peer_; }
  const QuicAddress& local() const { return local_; }
  /// To be called when there is something to do or to send.
  void wake();
  /// Notes an error of HTTP/3 (RFC 9114 section 8.1); the next flush closes the connection with it.
  void fail(std::uint64_t code);

  // For the endpoint: one bit and one place of its book-keeping.
  bool scheduled = false;
  ngtcp2_tstamp scheduled_expiry = UINT64_MAX;

 private:
  enum class State { Open, Closing, Draining, Over };
  friend struct QuicCallbacks;

  explicit QuicConnection(QuicEndpoint& endpoint);
  bool start(const Datagram& first, const ngtcp2_pkt_hd& header, QuicSecrets::Token token,
             const ngtcp2_cid& original_id);
  bool begin_session();
  void on_handshake_completed();
  void close();
  void leave_open(State next);
  void on_read_error(int code);

  // Sending: connection_send.cc.
  void send();
  struct Burst;
  enum class Wrote { Packet, Nothing, Failed };
  Wrote write_packet(Burst& burst, ngtcp2_tstamp now);
  bool send_burst(Burst& burst);
  bool send_pending();
  bool on_write_error(ngtcp2_ssize code, std::int64_t stream);

  QuicEndpoint& endpoint_;
  std::unique_ptr<Qlog> qlog_;  ///< may be null; outlives `native_`, which writes to the last
  ngtcp2_conn* native_ = nullptr;
  std::unique_ptr<QuicTlsSession> tls_;
  std::unique_ptr<H3Session> session_;  ///< null until there are keys for it
  State state_ = State::Open;
  ngtcp2_ccerr error_{};
  bool failed_ = false;      ///< `error_` is to be sent
  bool handshaking_ = true;  ///< counted as such by the endpoint
  bool draining_ = false;
  base::IpAddress admitted_;  ///< whose limits it counts for
  ngtcp2_cid client_id_{};    ///< the id that the client had chosen for us
  QuicAddress peer_;
  QuicAddress local_;
  ngtcp2_tstamp end_at_ = UINT64_MAX;  ///< in Closing and Draining
  std::vector<std::uint8_t> farewell_;
  unsigned farewells_due_ = 1;  ///< packets that must come until it is said again
  unsigned packets_since_ = 0;

  /// The stream whose end, without any octets, found no room (congestion, pacing); -1: none. It is
  /// kept here because nghttp3 1.8 loses it: it notes such an end as an empty buffer, which the
  /// next acknowledgment takes for delivered, and then offers the end only once more.
  std::int64_t end_due_ = -1;

  bool waits_ = false;  ///< the last `send` had more than might go
  ngtcp2_tstamp sent_at_ = 0;

  /// A burst that the system had no room for.
  struct Pending {
    std::vector<std::uint8_t> octets;
    std::size_t segment = 0;
    std::uint8_t ecn = 0;
    QuicPath path;
  };
  Pending pending_;
  base::Timer retry_send_;
};

}  // namespace headgate::server
