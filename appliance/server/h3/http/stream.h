// SPDX-License-Identifier: MIT
// One request on an HTTP/3 connection: from fields and octets that nghttp3 hands over to a request
// of libh2o's, and from that one's response back.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/block_pool.h"
#include "appliance/base/ref.h"
#include "appliance/base/timer_heap.h"
#include "appliance/cache/body.h"
#include "appliance/guard/limit.h"
#include "appliance/server/h2o.h"
#include "appliance/server/h3/http/request_head.h"
#include "appliance/server/h3/quic/library.h"

namespace headgate::server {

class H3Session;

/// ```
/// (opened) ─ fields ─▶ head complete ─ run ─▶ libh2o's request ─▶ response ─▶ (stream closed)
///              │                               │      ▲
///              └─ too slow: reset     octets ──┘      └─ acknowledged octets make room for more
/// ```
/// The request lives until the stream has closed, that is until the client has acknowledged the
/// last octet, or until either side gave up.
/// Threads: the worker's.
class H3Stream {
 public:
  struct Release {
    base::BlockPool* blocks;
    void operator()(H3Stream* stream) const;
  };
  using Owner = std::unique_ptr<H3Stream, Release>;

  /// A block of `blocks`; streams come and go by the thousand.
  static Owner make(base::BlockPool& blocks, H3Session& session, std::int64_t id);
  ~H3Stream();
  H3Stream(const H3Stream&) = delete;
  H3Stream& operator=(const H3Stream&) = delete;

  std::int64_t id() const { return id_; }

  // What nghttp3 tells.
  void on_field(std::int32_t token, std::string_view name, std::string_view value);
  void on_head_complete();
  /// Octets of the body. True: they are kept until they are read; false: nobody will read them.
  [[nodiscard]] bool on_octets(std::span<const std::uint8_t> octets);
  void on_end();
  void on_acked(std::uint64_t size);
  /// Some of the request came in early data.
  void on_early() { early_ = true; }
  /// Pieces of the response, at most `room`.
  nghttp3_ssize read(nghttp3_vec* out, std::size_t room, std::uint32_t& flags);

  /// Nobody waits for the response any more: the request is to end in the next run.
  void give_up() { given_up_ = true; }
  bool was_given_up() const { return given_up_; }
  void on_closed() { closed_ = true; }
  bool is_closed() const { return closed_; }
  bool request_complete() const { return request_complete_; }
  bool response_complete() const { return response_complete_; }

  // For the session, outside of the libraries.
  bool scheduled = false;
  std::size_t place = 0;   ///< among the session's streams
  bool left_room = false;  ///< the client may open another one for it
  /// True: a request has begun.
  bool run();
  void end_request();
  /// The octets of the next h2o_send stay as long as `keeper` is held, so that they need not be
  /// copied. Nothing happens for requests of other protocols, or when it is null.
  static void lend(h2o_req_t& request, base::Ref<cache::Body> keeper);
  /// Whether `request` is one of ours that began before its connection's handshake was over.
  static bool came_early(const h2o_req_t& request);
  /// libh2o's call for a connection of ours.
  static void send_interim(h2o_req_t* request, int status, const h2o_header_t* headers,
                           std::size_t count);
  /// Whether the client has taken too little for too long: asked again and again.
  bool is_stalled(base::MonoTime now);

 private:
  H3Stream(H3Session& session, std::int64_t id);

  /// h2o finds the stream of a request by it.
  struct Ostream {
    h2o_ostream_t super;
    H3Stream* stream;
  };
  struct Body {
    std::string waiting;    ///< has come, was not read
    std::string delivered;  ///< is being looked at by the reader
    std::uint64_t received = 0;
    bool wanted = false;  ///< somebody has asked
    bool was_read = false;
  };
  /// Octets that are needed until the client has acknowledged them: a copy, or what somebody keeps.
  struct Piece {
    std::unique_ptr<char[]> copy;
    base::Ref<cache::Body> keeper;  ///< null: a copy
    const char* octets;
    std::size_t size;
  };

  static H3Stream& of(h2o_req_t& request);
  static void on_body_wanted(h2o_req_t* request);
  void start();
  void refuse(int status, const char* page);
  void deliver_body();
  void lose_body(int status);
  void note(guard::Limit exceeded);
  void reset(std::uint64_t code);
  void wait_at_most(Duration limit);
  void stop_waiting();
  void on_deadline();
  void send(h2o_iovec_t* pieces, std::size_t count, h2o_send_state_t state);
  void hold(const h2o_iovec_t* pieces, std::size_t count, std::size_t size);
  bool send_head(bool has_body);
  std::string_view in_pool(std::uint64_t number);
  void proceed();
  void return_credit(std::size_t size);

  H3Session& session_;
  const std::int64_t id_;
  RequestHead head_;
  Body body_;
  /// Of the head, then of the octets that a reader waits for: most requests come whole.
  std::optional<base::Timer> deadline_;
  Ostream ostream_{};

  bool early_ = false;
  bool head_complete_ = false;
  bool started_ = false;            ///< libh2o has the request
  bool request_ended_ = false;      ///< and has disposed of it
  bool request_complete_ = false;   ///< the client has sent all of it
  bool response_complete_ = false;  ///< libh2o has given all of it
  bool head_sent_ = false;
  bool proceed_due_ = false;  ///< libh2o waits to be asked for more
  bool starved_ = false;      ///< nghttp3 waits to be told of more
  bool given_up_ = false;
  bool closed_ = false;

  base::Ref<cache::Body> lent_;     ///< see `lend`
  std::pmr::vector<Piece> pieces_;  ///< the oldest first
  std::size_t unacked_at_ = 0;  ///< the first one that is not acknowledged; those before are gone
  std::size_t unread_at_ = 0;   ///< the first one that nghttp3 has not taken
  std::size_t unread_ = 0;      ///< octets
  std::uint64_t acked_of_first_ = 0;
  std::uint64_t acked_ = 0;
  std::size_t held_ = 0;    ///< octets of all pieces
  std::size_t copied_ = 0;  ///< of those that are copies

  base::MonoTime stall_seen_at_{};
  std::uint64_t stall_acked_ = 0;
  bool stall_seen_ = false;

  h2o_req_t request_;  // last: large
};

}  // namespace headgate::server
