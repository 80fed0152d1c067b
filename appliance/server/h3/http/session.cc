// SPDX-License-Identifier: MIT
#include "appliance/server/h3/http/session.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "appliance/server/h3/quic/connection.h"
#include "appliance/server/h3/quic/endpoint.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

/// Octets of responses that one connection may have copies of before its streams have to wait for
/// each other. What lies in the cache is not copied.
constexpr std::int64_t kMaxCopied = 8 * 1024 * 1024;
/// The room of QPACK's table, and of what may wait for it (RFC 9204 section 5).
constexpr std::size_t kTableCapacity = 4096;
constexpr std::size_t kBlockedStreams = 100;
/// The first responses are on their way while the next requests of a burst are served.
constexpr unsigned kRequestsATurn = 16;
constexpr Duration kStallCheck = std::chrono::seconds(10);
constexpr Duration kLongestGoawayWait = std::chrono::milliseconds(500);

socklen_t copy_address(const QuicAddress& from, sockaddr* to) {
  std::memcpy(to, &from.raw, from.size);
  return from.size;
}

}  // namespace

/// nghttp3's and libh2o's call-backs: each casts and calls, or notes.
struct H3Callbacks {
  static H3Session& self(void* user) { return *static_cast<H3Session*>(user); }

  static int begin_headers(nghttp3_conn* native, std::int64_t stream, void* user, void*) {
    H3Session& session = self(user);
    H3Stream* const reading = session.reading_;
    return nghttp3_conn_set_stream_user_data(
        native, stream,
        reading != nullptr && reading->id() == stream ? reading : session.find(stream));
  }
  static int recv_header(nghttp3_conn*, std::int64_t, std::int32_t token, nghttp3_rcbuf* name,
                         nghttp3_rcbuf* value, std::uint8_t, void*, void* stream) {
    const nghttp3_vec name_octets = nghttp3_rcbuf_get_buf(name);
    const nghttp3_vec value_octets = nghttp3_rcbuf_get_buf(value);
    if (stream != nullptr)
      static_cast<H3Stream*>(stream)->on_field(
          token, {reinterpret_cast<const char*>(name_octets.base), name_octets.len},
          {reinterpret_cast<const char*>(value_octets.base), value_octets.len});
    return 0;
  }
  static int end_headers(nghttp3_conn*, std::int64_t, int, void* user, void* stream) {
    if (stream == nullptr) return 0;
    static_cast<H3Stream*>(stream)->on_head_complete();
    self(user).schedule(*static_cast<H3Stream*>(stream));
    return 0;
  }
  static int recv_data(nghttp3_conn*, std::int64_t id, const std::uint8_t* octets, std::size_t size,
                       void* user, void* stream) {
    auto* request = static_cast<H3Stream*>(stream);
    if (request != nullptr && request->on_octets({octets, size})) {
      self(user).schedule(*request);
      return 0;
    }
    return deferred_consume(nullptr, id, size, user, stream);
  }
  static int deferred_consume(nghttp3_conn*, std::int64_t stream, std::size_t size, void* user,
                              void*) {
    ngtcp2_conn* quic = self(user).connection_.native();
    ngtcp2_conn_extend_max_stream_offset(quic, stream, size);
    ngtcp2_conn_extend_max_offset(quic, size);
    return 0;
  }
  static int end_stream(nghttp3_conn*, std::int64_t, void* user, void* stream) {
    if (stream == nullptr) return 0;
    static_cast<H3Stream*>(stream)->on_end();
    self(user).schedule(*static_cast<H3Stream*>(stream));
    return 0;
  }
  static int acked_stream_data(nghttp3_conn*, std::int64_t, std::uint64_t size, void* user,
                               void* stream) {
    if (stream == nullptr) return 0;
    static_cast<H3Stream*>(stream)->on_acked(size);
    self(user).schedule(*static_cast<H3Stream*>(stream));
    return 0;
  }
  /// nghttp3 found the request malformed, or does not want it any more (RFC 9114 section 4.1.2).
  static int stop_sending(nghttp3_conn*, std::int64_t stream, std::uint64_t code, void* user,
                          void*) {
    return ngtcp2_conn_shutdown_stream_read(self(user).connection_.native(), 0, stream, code) == 0
               ? 0
               : NGHTTP3_ERR_CALLBACK_FAILURE;
  }
  static int reset_stream(nghttp3_conn*, std::int64_t stream, std::uint64_t code, void* user,
                          void*) {
    H3Session& session = self(user);
    if (H3Stream* request = session.find(stream)) {
      request->give_up();
      session.schedule(*request);
    }
    return ngtcp2_conn_shutdown_stream_write(session.connection_.native(), 0, stream, code) == 0
               ? 0
               : NGHTTP3_ERR_CALLBACK_FAILURE;
  }

  static nghttp3_callbacks table() {
    nghttp3_callbacks all{};
    all.begin_headers = begin_headers;
    all.recv_header = recv_header;
    all.end_headers = end_headers;
    all.recv_data = recv_data;
    all.deferred_consume = deferred_consume;
    all.end_stream = end_stream;
    all.acked_stream_data = acked_stream_data;
    all.stop_sending = stop_sending;
    all.reset_stream = reset_stream;
    return all;
  }

  static socklen_t get_sockname(h2o_conn_t* connection, sockaddr* out) {
    return copy_address(H3Session::of(*connection)->connection_.local(), out);
  }
  static socklen_t get_peername(h2o_conn_t* connection, sockaddr* out) {
    return copy_address(H3Session::of(*connection)->connection_.peer(), out);
  }
  /// There is none: what is one on TCP is a stream here.
  static h2o_socket_t* get_socket(h2o_conn_t*) { return nullptr; }

  static const h2o_conn_callbacks_t& h2o_table() {
    static const h2o_conn_callbacks_t kTable = [] {
      h2o_conn_callbacks_t all{};
      all.get_sockname = get_sockname;
      all.get_peername = get_peername;
      all.get_socket = get_socket;
      all.send_informational = H3Stream::send_interim;
      return all;
    }();
    return kTable;
  }
};

H3Session::H3Session(QuicConnection& connection)
    : connection_(connection),
      goaway_timer_(connection.endpoint().loop().timers(), [this] { on_goaway_seen(); }),
      idle_timer_(connection.endpoint().loop().timers(),
                  [this] { connection_.fail(NGHTTP3_H3_NO_ERROR); }),
      stall_timer_(connection.endpoint().loop().timers(), [this] { look_for_stalls(); }),
      abandoned_at_(connection.endpoint().loop().now()) {
  QuicEndpoint& endpoint = connection.endpoint();
  h2o_context_t& context = endpoint.context();
  h2o_ = reinterpret_cast<H2oConnection*>(h2o_create_connection(
      sizeof(H2oConnection), &context, context.globalconf->hosts,
      *h2o_get_timestamp(&context, nullptr, nullptr), &H3Callbacks::h2o_table()));
  h2o_->session = this;
}

H3Session::~H3Session() {
  streams_.clear();
  if (native_ != nullptr) nghttp3_conn_del(native_);
  std::free(h2o_);  // h2o allocates it and leaves it to us
}

H3Session* H3Session::of(h2o_conn_t& connection) {
  if (connection.callbacks != &H3Callbacks::h2o_table()) return nullptr;
  return reinterpret_cast<H2oConnection*>(&connection)->session;
}

bool H3Session::covers(const std::string& host) { return connection_.tls().covers(host); }

const guard::waf::Fingerprint* H3Session::fingerprint() const {
  return connection_.tls().fingerprint();
}

bool H3Session::open(std::uint64_t max_requests) {
  static const nghttp3_callbacks kCallbacks = H3Callbacks::table();
  nghttp3_settings settings;
  nghttp3_settings_default(&settings);
  settings.max_field_section_size = h2o_->super.ctx->globalconf->http2.max_header_list_size;
  settings.qpack_max_dtable_capacity = kTableCapacity;
  settings.qpack_blocked_streams = kBlockedStreams;
  if (nghttp3_conn_server_new(&native_, &kCallbacks, &settings,
                              &connection_.endpoint().http_memory(), this) != 0)
    return false;
  nghttp3_conn_set_max_client_streams_bidi(native_, max_requests);
  max_requests_ = max_requests;
  ngtcp2_conn* quic = connection_.native();
  std::int64_t control = 0;
  std::int64_t encoder = 0;
  std::int64_t decoder = 0;
  // RFC 9114 section 6.2: a client that grants fewer cannot speak HTTP/3.
  if (ngtcp2_conn_open_uni_stream(quic, &control, nullptr) != 0 ||
      ngtcp2_conn_open_uni_stream(quic, &encoder, nullptr) != 0 ||
      ngtcp2_conn_open_uni_stream(quic, &decoder, nullptr) != 0 ||
      nghttp3_conn_bind_control_stream(native_, control) != 0 ||
      nghttp3_conn_bind_qpack_streams(native_, encoder, decoder) != 0) {
    connection_.fail(NGHTTP3_H3_GENERAL_PROTOCOL_ERROR);
    return false;
  }
  update_idleness();
  return true;
}

H3Stream* H3Session::find(std::int64_t stream) {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [&](const auto& one) { return one->id() == stream; });
  return found == streams_.end() ? nullptr : found->get();
}

bool H3Session::check(int code) {
  if (code == 0) return true;
  connection_.fail(nghttp3_err_infer_quic_app_error_code(code));
  return false;
}

// --- What ngtcp2 tells --------------------------------------------------------------------------

void H3Session::on_opened(std::int64_t stream) {
  streams_.push_back(H3Stream::make(connection_.endpoint().blocks(), *this, stream));
  H3Stream& opened = *streams_.back();
  opened.place = streams_.size() - 1;
  // From here on ngtcp2 hands it over with every call-back.
  static_cast<void>(ngtcp2_conn_set_stream_user_data(connection_.native(), stream, &opened));
  update_idleness();
  schedule(opened);  // when all that has come is read, its head may still be missing
}

void H3Session::remove(H3Stream& stream) {
  const std::size_t place = stream.place;
  std::swap(streams_[place], streams_.back());
  streams_[place]->place = place;
  streams_.pop_back();
}

std::optional<std::uint64_t> H3Session::receive(std::int64_t stream, H3Stream* request,
                                                std::span<const std::uint8_t> octets, bool end,
                                                bool early) {
  if (early && request != nullptr) request->on_early();
  reading_ = request;
  const auto taken =
      nghttp3_conn_read_stream(native_, stream, octets.data(), octets.size(), end ? 1 : 0);
  reading_ = nullptr;
  if (taken < 0) {
    check(static_cast<int>(taken));
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(taken);
}

bool H3Session::on_acked(std::int64_t stream, std::uint64_t size) {
  return check(nghttp3_conn_add_ack_offset(native_, stream, size));
}

bool H3Session::on_closed(std::int64_t stream, H3Stream* request, std::uint64_t code) {
  if (request != nullptr) {
    // STOP_SENDING for a response that has not begun: ngtcp2 answers it by itself.
    if (!request->response_complete() && !request->was_given_up()) count_abandoned();
    request->on_closed();
    schedule(*request);
    request->left_room ? --ahead_ : ++room_;
  }
  const int result = nghttp3_conn_close_stream(native_, stream, code);
  return result == NGHTTP3_ERR_STREAM_NOT_FOUND || check(result);
}

bool H3Session::on_reset(std::int64_t stream, H3Stream* request) {
  if (!check(nghttp3_conn_shutdown_stream_read(native_, stream))) return false;
  if (request == nullptr || request->request_complete()) return true;
  // Half a request: unless our side ends too, nobody would ever close the stream.
  on_refused(stream);
  return ngtcp2_conn_shutdown_stream_write(connection_.native(), 0, stream,
                                           NGHTTP3_H3_REQUEST_CANCELLED) == 0;
}

bool H3Session::stop_reading(std::int64_t stream) {
  return check(nghttp3_conn_shutdown_stream_read(native_, stream));
}

bool H3Session::on_window(std::int64_t stream) {
  return check(nghttp3_conn_unblock_stream(native_, stream));
}

void H3Session::set_max_requests(std::uint64_t count) {
  nghttp3_conn_set_max_client_streams_bidi(native_, count);
}

/// A client that had to acknowledge a response before it may send its next request would have a
/// round trip less of them under way than over HTTP/2, where the response's end is enough (RFC 9113
/// section 5.1.2). One that never acknowledges gets no further than twice the limit.
void H3Session::on_end_read(H3Stream& stream) {
  if (!stream.request_complete() || stream.left_room || ahead_ >= max_requests_) return;
  stream.left_room = true;
  ++ahead_;
  ++room_;
}

void H3Session::give_room() {
  if (room_ != 0)
    ngtcp2_conn_extend_max_streams_bidi(connection_.native(), std::exchange(room_, 0));
}

void H3Session::on_refused(std::int64_t stream) {
  nghttp3_conn_shutdown_stream_write(native_, stream);
  H3Stream* request = find(stream);
  if (request == nullptr || request->was_given_up()) return;
  if (!request->response_complete()) count_abandoned();
  request->give_up();
  schedule(*request);
}

/// Rapid reset (CVE-2023-44487): a client that asks and does not wait costs more than it spends.
void H3Session::count_abandoned() {
  const auto& limits = connection_.endpoint().commons().options.limits.http2;
  if (limits.max_resets == 0) return;
  const base::MonoTime now = connection_.endpoint().loop().now();
  // As with HTTP/2: all of them are forgiven in the time to which the number applies.
  const double forgiven = limits.max_resets * static_cast<double>((now - abandoned_at_).count()) /
                          static_cast<double>(limits.per.count());
  abandoned_ = std::max(0.0, abandoned_ - forgiven) + 1;
  abandoned_at_ = now;
  if (abandoned_ <= limits.max_resets || sent_away_) return;
  sent_away_ = true;
  connection_.endpoint().metrics().limit_exceeded(guard::Limit::MaxResets);
  connection_.fail(NGHTTP3_H3_EXCESSIVE_LOAD);
}

// --- Outside of the libraries -------------------------------------------------------------------

void H3Session::schedule(H3Stream& stream) {
  if (!stream.scheduled) {
    stream.scheduled = true;
    work_.push_back(&stream);
  }
  connection_.wake();
}

bool H3Session::has_room() const { return copied_ < kMaxCopied; }

void H3Session::run() {
  turn_.swap(work_);
  bool closed = false;
  unsigned begun = 0;
  std::size_t done = 0;
  for (; done < turn_.size() && begun < kRequestsATurn; ++done) {
    H3Stream& stream = *turn_[done];
    stream.scheduled = false;
    if (!stream.is_closed()) {
      if (stream.run()) ++begun;
      continue;
    }
    remove(stream);
    closed = true;
  }
  if (done < turn_.size()) {
    work_.insert(work_.begin(), turn_.begin() + static_cast<std::ptrdiff_t>(done), turn_.end());
    connection_.wake();
  }
  turn_.clear();
  if (closed) update_idleness();
  end_if_drained();
}

nghttp3_ssize H3Session::take(std::int64_t& stream, int& fin, std::span<nghttp3_vec> pieces) {
  nghttp3_ssize count = 0;
  // nghttp3 asks one stream a call; that one has nothing does not mean that others have nothing.
  do {
    starved_ = false;
    count = nghttp3_conn_writev_stream(native_, &stream, &fin, pieces.data(), pieces.size());
  } while (count == 0 && stream == -1 && starved_);
  return count;
}

void H3Session::end_requests() {
  goaway_timer_.cancel();
  idle_timer_.cancel();
  stall_timer_.cancel();
  for (const auto& stream : streams_) stream->end_request();
}

void H3Session::update_idleness() {
  const Duration limit = connection_.endpoint().commons().options.limits.idle_timeout;
  if (streams_.empty()) {
    // PINGs keep QUIC from timing out; they are no reason to keep a connection.
    idle_timer_.schedule_after(limit);
    stall_timer_.cancel();
    ngtcp2_conn_set_keep_alive_timeout(connection_.native(), UINT64_MAX);
    return;
  }
  if (!idle_timer_.pending() && stall_timer_.pending()) return;
  idle_timer_.cancel();
  stall_timer_.schedule_after(kStallCheck);
  // A client that waits for a slow answer has nothing to say; our PINGs find out if it is there.
  ngtcp2_conn_set_keep_alive_timeout(connection_.native(), quic_duration(limit) / 2);
}

void H3Session::look_for_stalls() {
  const base::MonoTime now = connection_.endpoint().loop().now();
  for (const auto& stream : streams_) {
    if (!stream->is_stalled(now)) continue;
    stream->give_up();
    schedule(*stream);
  }
  stall_timer_.schedule_after(kStallCheck);
}

// --- GOAWAY: RFC 9114 section 5.2 ---------------------------------------------------------------

void H3Session::drain() {
  if (drain_ != Drain::No || native_ == nullptr) return;
  drain_ = Drain::Announced;
  nghttp3_conn_submit_shutdown_notice(native_);
  // Requests that are under way towards us when the client learns of it are served.
  const auto wait = std::chrono::duration_cast<Duration>(
      std::chrono::nanoseconds(ngtcp2_conn_get_pto(connection_.native())));
  goaway_timer_.schedule_after(
      std::clamp(wait, Duration(std::chrono::milliseconds(1)), kLongestGoawayWait));
  connection_.wake();
}

void H3Session::on_goaway_seen() {
  nghttp3_conn_shutdown(native_);
  connection_.wake();
  drain_ = Drain::Final;
}

void H3Session::end_if_drained() {
  if (drain_ != Drain::Final || !streams_.empty()) return;
  // The last GOAWAY goes before the connection does: with the flush that is under way.
  if (!std::exchange(goaway_flushed_, true)) return connection_.wake();
  connection_.fail(NGHTTP3_H3_NO_ERROR);
}

}  // namespace headgate::server
