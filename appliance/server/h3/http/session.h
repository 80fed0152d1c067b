// SPDX-License-Identifier: MIT
// HTTP/3 on one QUIC connection: nghttp3's framing on one side, libh2o's requests on the other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/timer_heap.h"
#include "appliance/guard/waf/fingerprint/client_hello.h"
#include "appliance/server/h2o.h"
#include "appliance/server/h3/http/stream.h"
#include "appliance/server/h3/quic/library.h"

namespace headgate::server {

class QuicConnection;

/// Call-backs of the libraries note what has happened; `run` acts on it, for only outside of the
/// libraries may a request begin, go on or end. False from a call-back: the connection has failed.
/// Threads: the worker's.
class H3Session {
 public:
  explicit H3Session(QuicConnection& connection);
  ~H3Session();
  H3Session(const H3Session&) = delete;
  H3Session& operator=(const H3Session&) = delete;

  /// Opens the control streams. False when the client does not let us.
  bool open(std::uint64_t max_requests);

  // What ngtcp2 tells. `request` is the stream's, which `on_opened` made; null for others.
  void on_opened(std::int64_t stream);
  /// How many octets the client may send in their place; none: the connection has failed.
  std::optional<std::uint64_t> receive(std::int64_t stream, H3Stream* request,
                                       std::span<const std::uint8_t> octets, bool end, bool early);
  bool on_acked(std::int64_t stream, std::uint64_t size);
  bool on_closed(std::int64_t stream, H3Stream* request, std::uint64_t code);
  bool on_reset(std::int64_t stream, H3Stream* request);
  bool stop_reading(std::int64_t stream);
  bool on_window(std::int64_t stream);
  void set_max_requests(std::uint64_t count);
  /// The client does not want what we send on `stream`.
  void on_refused(std::int64_t stream);

  /// Requests that came (a few; what is left wakes the connection), bodies that are waited for,
  /// responses that may go on, streams that ended.
  void run();
  /// The connection is ending: so do all requests, now.
  void end_requests();
  /// GOAWAY now, and the connection's end when the last request has ended.
  void drain();

  /// What is to be sent next: at most `pieces.size()` pieces of `stream`, -1 for none, and whether
  /// they are its last. Returns their number, or an error of nghttp3's.
  nghttp3_ssize take(std::int64_t& stream, int& fin, std::span<nghttp3_vec> pieces);

  /// Between packets: the client may open streams for those whose responses are on their way.
  void give_room();
  bool has_room_to_give() const { return room_ != 0; }

  nghttp3_conn* native() { return native_; }
  QuicConnection& connection() { return connection_; }

  // For streams.
  h2o_conn_t& h2o() { return h2o_->super; }
  void schedule(H3Stream& stream);
  /// A stream that was asked by `take` has nothing to give.
  void on_starved() { starved_ = true; }
  /// All of a response has been taken.
  void on_end_read(H3Stream& stream);
  /// Octets of responses that this connection keeps copies of change by `delta`.
  void count_copied(std::int64_t delta) { copied_ += delta; }
  /// Whether more may be copied.
  bool has_room() const;

  /// Whether the connection's certificate speaks for `host`.
  bool covers(const std::string& host);

  /// Of the connection's TLS handshake; may be null.
  const guard::waf::Fingerprint* fingerprint() const;

  /// The session of a request's connection; null for one of another protocol.
  static H3Session* of(h2o_conn_t& connection);

 private:
  struct H2oConnection {
    h2o_conn_t super;  // first: libh2o hands it back
    H3Session* session;
  };
  friend struct H3Callbacks;

  H3Stream* find(std::int64_t stream);
  void remove(H3Stream& stream);
  bool check(int code);
  void count_abandoned();
  void update_idleness();
  void on_goaway_seen();
  void end_if_drained();
  void look_for_stalls();

  QuicConnection& connection_;
  H2oConnection* h2o_;
  nghttp3_conn* native_ = nullptr;
  std::vector<H3Stream::Owner> streams_;
  std::uint64_t max_requests_ = 0;  ///< at a time
  std::uint64_t ahead_ = 0;         ///< streams that have left room for others and have not closed
  std::size_t room_ = 0;            ///< streams that the client is to be allowed
  /// Scheduled ones, each once: only `run` removes streams, and only when it comes to them.
  std::vector<H3Stream*> work_;
  std::vector<H3Stream*> turn_;  ///< in `run`
  H3Stream* reading_ = nullptr;  ///< in `receive`
  std::int64_t copied_ = 0;
  bool starved_ = false;  ///< in `take`: a stream had nothing

  enum class Drain { No, Announced, Final };
  Drain drain_ = Drain::No;
  bool goaway_flushed_ = false;
  base::Timer goaway_timer_;
  base::Timer idle_timer_;
  base::Timer stall_timer_;

  // A leaky bucket of requests that their client did not wait for.
  double abandoned_ = 0;
  bool sent_away_ = false;  ///< since it abandons too many
  base::MonoTime abandoned_at_;
};

}  // namespace headgate::server
