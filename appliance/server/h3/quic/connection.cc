// SPDX-License-Identifier: MIT
#include "appliance/server/h3/quic/connection.h"

#include <algorithm>

#include "appliance/base/assert.h"
#include "appliance/server/h3/quic/endpoint.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

/// Octets of request bodies that a client may have on the way without our asking: per stream, per
/// connection, and how far ngtcp2 may widen these for a fast upload.
constexpr std::uint64_t kStreamWindow = 256 * 1024;
constexpr std::uint64_t kConnectionWindow = 1024 * 1024;
constexpr std::uint64_t kWidestWindow = 6 * 1024 * 1024;
/// RFC 9114 section 6.2: the control stream and QPACK's two.
constexpr std::uint64_t kUniStreams = 3;
/// Ids that the client may hold for moving to other addresses.
constexpr std::uint64_t kActiveIds = 7;
constexpr ngtcp2_duration kGranularity = NGTCP2_MILLISECONDS;
/// Payloads of datagrams that are tried on a path (RFC 8899): Ethernet, then jumbo frames where
/// that went well, and less where it did not (tunnels, PPPoE). IPv6's header and UDP's come on top.
constexpr std::uint16_t kProbes[] = {1500 - 48, kLargestDatagram, 1454 - 48, 1390 - 48, 1280 - 48};

}  // namespace

/// ngtcp2's call-backs: each casts and calls, or notes.
struct QuicCallbacks {
  static QuicConnection& self(void* user) { return *static_cast<QuicConnection*>(user); }
  static int verdict(bool good) { return good ? 0 : NGTCP2_ERR_CALLBACK_FAILURE; }

  static void rand(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx*) {
    HG_ASSERT(gnutls_rnd(GNUTLS_RND_NONCE, out, size) == 0);
  }
  static int get_new_connection_id(ngtcp2_conn*, ngtcp2_cid* id, std::uint8_t* token, std::size_t,
                                   void* user) {
    QuicEndpoint& endpoint = self(user).endpoint_;
    *id = endpoint.make_id();
    endpoint.commons().quic->secrets.make_reset_token(*id, token);
    endpoint.add_id(*id, self(user));
    return 0;
  }
  static int remove_connection_id(ngtcp2_conn*, const ngtcp2_cid* id, void* user) {
    self(user).endpoint_.remove_id(*id);
    return 0;
  }
  static int stream_open(ngtcp2_conn*, std::int64_t stream, void* user) {
    auto& session = self(user).session_;
    if (session != nullptr && ngtcp2_is_bidi_stream(stream)) session->on_opened(stream);
    return 0;
  }
  static int recv_stream_data(ngtcp2_conn* native, std::uint32_t flags, std::int64_t stream,
                              std::uint64_t, const std::uint8_t* octets, std::size_t size,
                              void* user, void* request) {
    auto& session = self(user).session_;
    if (session == nullptr) return 0;
    const auto taken = session->receive(stream, static_cast<H3Stream*>(request), {octets, size},
                                        (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0,
                                        (flags & NGTCP2_STREAM_DATA_FLAG_0RTT) != 0);
    if (!taken) return NGTCP2_ERR_CALLBACK_FAILURE;
    const bool more = (flags & NGTCP2_STREAM_DATA_FLAG_FIN) == 0;
    if (more) ngtcp2_conn_extend_max_stream_offset(native, stream, *taken);
    ngtcp2_conn_extend_max_offset(native, *taken);
    return 0;
  }
  static int acked_stream_data_offset(ngtcp2_conn*, std::int64_t stream, std::uint64_t,
                                      std::uint64_t size, void* user, void*) {
    auto& session = self(user).session_;
    return verdict(session == nullptr || session->on_acked(stream, size));
  }
  static int stream_close(ngtcp2_conn* native, std::uint32_t flags, std::int64_t stream,
                          std::uint64_t code, void* user, void* request) {
    if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) == 0) code = NGHTTP3_H3_NO_ERROR;
    auto& session = self(user).session_;
    if (ngtcp2_is_bidi_stream(stream) && request == nullptr)
      ngtcp2_conn_extend_max_streams_bidi(native, 1);
    return verdict(session == nullptr ||
                   session->on_closed(stream, static_cast<H3Stream*>(request), code));
  }
  static int stream_reset(ngtcp2_conn*, std::int64_t stream, std::uint64_t, std::uint64_t,
                          void* user, void* request) {
    auto& session = self(user).session_;
    return verdict(session == nullptr ||
                   session->on_reset(stream, static_cast<H3Stream*>(request)));
  }
  /// Despite its name not what the peer says: our own end of reading (http3.md).
  static int stream_stop_sending(ngtcp2_conn*, std::int64_t stream, std::uint64_t, void* user,
                                 void*) {
    auto& session = self(user).session_;
    return verdict(session == nullptr || session->stop_reading(stream));
  }
  static int extend_max_remote_streams_bidi(ngtcp2_conn*, std::uint64_t count, void* user) {
    if (auto& session = self(user).session_) session->set_max_requests(count);
    return 0;
  }
  static int extend_max_stream_data(ngtcp2_conn*, std::int64_t stream, std::uint64_t, void* user,
                                    void*) {
    auto& session = self(user).session_;
    return verdict(session == nullptr || session->on_window(stream));
  }
  static int recv_tx_key(ngtcp2_conn*, ngtcp2_encryption_level level, void* user) {
    return verdict(level != NGTCP2_ENCRYPTION_LEVEL_1RTT || self(user).begin_session());
  }
  static int handshake_completed(ngtcp2_conn*, void* user) {
    self(user).on_handshake_completed();
    return 0;
  }
  static int path_validation(ngtcp2_conn*, std::uint32_t, const ngtcp2_path*, const ngtcp2_path*,
                             ngtcp2_path_validation_result result, void* user) {
    if (result == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS)
      self(user).endpoint_.metrics().quic_event(observe::QuicEvent::Migration);
    return 0;
  }

  static void qlog_write(void* user, std::uint32_t, const void* octets, std::size_t size) {
    self(user).qlog_->write({static_cast<const char*>(octets), size});
  }

  static ngtcp2_callbacks table() {
    ngtcp2_callbacks all{};
    all.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    all.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
    all.encrypt = ngtcp2_crypto_encrypt_cb;
    all.decrypt = ngtcp2_crypto_decrypt_cb;
    all.hp_mask = ngtcp2_crypto_hp_mask_cb;
    all.update_key = ngtcp2_crypto_update_key_cb;
    all.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    all.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    all.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
    all.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    all.rand = rand;
    all.get_new_connection_id = get_new_connection_id;
    all.remove_connection_id = remove_connection_id;
    all.stream_open = stream_open;
    all.recv_stream_data = recv_stream_data;
    all.acked_stream_data_offset = acked_stream_data_offset;
    all.stream_close = stream_close;
    all.stream_reset = stream_reset;
    all.stream_stop_sending = stream_stop_sending;
    all.extend_max_remote_streams_bidi = extend_max_remote_streams_bidi;
    all.extend_max_stream_data = extend_max_stream_data;
    all.recv_tx_key = recv_tx_key;
    all.handshake_completed = handshake_completed;
    all.path_validation = path_validation;
    return all;
  }
};

namespace {

ngtcp2_settings make_settings(const schema::EdgeLimits& limits, const ngtcp2_pkt_hd& header,
                              QuicSecrets::Token token) {
  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = quic_now();
  settings.max_window = kWidestWindow;
  settings.max_stream_window = kWidestWindow;
  settings.max_tx_udp_payload_size = kLargestDatagram;
  settings.pmtud_probes = kProbes;
  settings.pmtud_probeslen = std::size(kProbes);
  settings.handshake_timeout = quic_duration(limits.handshake_timeout);
  if (token != QuicSecrets::Token::None) {
    settings.token = header.token;
    settings.tokenlen = header.tokenlen;
    settings.token_type =
        token == QuicSecrets::Token::Retry ? NGTCP2_TOKEN_TYPE_RETRY : NGTCP2_TOKEN_TYPE_NEW_TOKEN;
  }
  return settings;
}

ngtcp2_transport_params make_parameters(const schema::EdgeLimits& limits,
                                        const ngtcp2_pkt_hd& header, QuicSecrets::Token token,
                                        const ngtcp2_cid& original_id) {
  ngtcp2_transport_params parameters;
  ngtcp2_transport_params_default(&parameters);
  parameters.initial_max_stream_data_bidi_remote = kStreamWindow;
  parameters.initial_max_stream_data_uni = kStreamWindow;
  parameters.initial_max_data = kConnectionWindow;
  parameters.initial_max_streams_bidi = limits.http2.max_concurrent_streams;
  parameters.initial_max_streams_uni = kUniStreams;
  parameters.max_udp_payload_size = kLargestReceived;
  parameters.max_idle_timeout = quic_duration(limits.idle_timeout);
  parameters.active_connection_id_limit = kActiveIds;
  parameters.grease_quic_bit = 1;
  parameters.original_dcid_present = 1;
  parameters.original_dcid = header.dcid;
  if (token == QuicSecrets::Token::Retry) {
    parameters.original_dcid = original_id;
    parameters.retry_scid = header.dcid;
    parameters.retry_scid_present = 1;
  }
  return parameters;
}

}  // namespace

std::unique_ptr<QuicConnection> QuicConnection::make(QuicEndpoint& endpoint, const Datagram& first,
                                                     const ngtcp2_pkt_hd& header,
                                                     QuicSecrets::Token token,
                                                     const ngtcp2_cid& original_id) {
  std::unique_ptr<QuicConnection> made(new QuicConnection(endpoint));
  if (!made->start(first, header, token, original_id)) return nullptr;
  return made;
}

QuicConnection::QuicConnection(QuicEndpoint& endpoint)
    : endpoint_(endpoint), retry_send_(endpoint.loop().timers(), [this] { wake(); }) {
  ngtcp2_ccerr_default(&error_);
}

bool QuicConnection::start(const Datagram& first, const ngtcp2_pkt_hd& header,
                           QuicSecrets::Token token, const ngtcp2_cid& original_id) {
  static const ngtcp2_callbacks kCallbacks = QuicCallbacks::table();
  const schema::EdgeLimits& limits = endpoint_.commons().options.limits;
  ngtcp2_settings settings = make_settings(limits, header, token);
  qlog_ = Qlog::open(endpoint_.commons().options.qlog_folder, header.dcid);
  if (qlog_ != nullptr) settings.qlog_write = QuicCallbacks::qlog_write;
  ngtcp2_transport_params parameters = make_parameters(limits, header, token, original_id);
  const ngtcp2_cid id = endpoint_.make_id();
  parameters.stateless_reset_token_present = 1;
  endpoint_.commons().quic->secrets.make_reset_token(id, parameters.stateless_reset_token);
  const ngtcp2_path path = first.path.view();
  if (ngtcp2_conn_server_new(&native_, &header.scid, &id, &path, header.version, &kCallbacks,
                             &settings, &parameters, &endpoint_.quic_memory(), this) != 0)
    return false;
  peer_ = first.path.remote;
  local_ = first.path.local;
  client_id_ = header.dcid;
  endpoint_.add_id(id, *this);
  endpoint_.add_id(client_id_, *this);
  tls_ = std::make_unique<QuicTlsSession>(*endpoint_.commons().quic->tls, native_);
  ngtcp2_conn_set_tls_native_handle(native_, tls_->native());
  return true;
}

QuicConnection::~QuicConnection() {
  if (native_ == nullptr) return;
  if (state_ == State::Open && tls_ != nullptr) leave_open(State::Over);
  session_.reset();
  std::vector<ngtcp2_cid> ids(ngtcp2_conn_get_scid(native_, nullptr));
  ngtcp2_conn_get_scid(native_, ids.data());
  for (const auto& id : ids) endpoint_.remove_id(id);
  endpoint_.remove_id(client_id_);
  ngtcp2_conn_del(native_);
}

bool QuicConnection::begin_session() {
  if (session_ != nullptr) return true;
  session_ = std::make_unique<H3Session>(*this);
  return session_->open(endpoint_.commons().options.limits.http2.max_concurrent_streams);
}

void QuicConnection::on_handshake_completed() {
  if (handshaking_) {
    handshaking_ = false;
    endpoint_.handshake_ended();
    const auto client = base::IpAddress::from_sockaddr(&peer_.raw.sa);
    if (!endpoint_.admit(client)) return fail(NGHTTP3_H3_EXCESSIVE_LOAD);
    admitted_ = client;
  }
  tls_->send_ticket();
  const auto token = endpoint_.commons().quic->secrets.make_new_token(peer_.view());
  if (!token.empty()) ngtcp2_conn_submit_new_token(native_, token.data(), token.size());
}

void QuicConnection::receive(const Datagram& datagram) {
  if (state_ == State::Closing) {
    // RFC 9000 section 10.2.1: said again, ever more rarely.
    if (++packets_since_ < farewells_due_) return;
    packets_since_ = 0;
    farewells_due_ *= 2;
    if (!farewell_.empty())
      static_cast<void>(
          endpoint_.socket().send(farewell_, farewell_.size(), datagram.path.view(), 0));
    return;
  }
  // What comes in the same turn as what made it fail: the libraries must not be called any more.
  if (state_ != State::Open || failed_) return;
  ngtcp2_path path = datagram.path.view();
  // ngtcp2 has one path until the handshake is over. A NAT that gives the client another port in
  // the middle of it has not made another client: it gets validated right after.
  if (handshaking_) path = {.local = local_.view(), .remote = peer_.view(), .user_data = nullptr};
  const ngtcp2_pkt_info info = {.ecn = datagram.ecn};
  const int code = ngtcp2_conn_read_pkt(native_, &path, &info, datagram.octets.data(),
                                        datagram.octets.size(), quic_now());
  if (code != 0) return on_read_error(code);
  const ngtcp2_path* current = ngtcp2_conn_get_path(native_);
  peer_ = QuicAddress::of(current->remote);
  local_ = QuicAddress::of(current->local);
}

void QuicConnection::on_read_error(int code) {
  switch (code) {
    case NGTCP2_ERR_DRAINING:
      return leave_open(State::Draining);
    case NGTCP2_ERR_RETRY:
    case NGTCP2_ERR_DROP_CONN:
      return leave_open(State::Over);
    case NGTCP2_ERR_CRYPTO:
      if (handshaking_) endpoint_.metrics().tls_handshake_failed();
      if (!failed_)
        ngtcp2_ccerr_set_tls_alert(&error_, ngtcp2_conn_get_tls_alert(native_), nullptr, 0);
      break;
    default:
      // A call-back that failed has said why.
      if (!failed_) ngtcp2_ccerr_set_liberr(&error_, code, nullptr, 0);
  }
  failed_ = true;
}

void QuicConnection::fail(std::uint64_t code) {
  if (failed_) return;
  failed_ = true;
  ngtcp2_ccerr_set_application_error(&error_, code, nullptr, 0);
  wake();
}

void QuicConnection::wake() {
  if (state_ == State::Open) endpoint_.schedule(*this);
}

void QuicConnection::flush() {
  if (state_ != State::Open) return;
  if (session_ != nullptr && !failed_) session_->run();
  if (!failed_) send();
  if (failed_ && state_ == State::Open) close();
}

void QuicConnection::drain() {
  if (state_ != State::Open) return;
  draining_ = true;
  // Who has not got as far as HTTP has not asked for anything.
  session_ == nullptr || handshaking_ ? abort() : session_->drain();
}

void QuicConnection::abort() { fail(NGHTTP3_H3_NO_ERROR); }

void QuicConnection::close() {
  farewell_.resize(NGTCP2_MAX_UDP_PAYLOAD_SIZE);
  ngtcp2_path_storage path;
  ngtcp2_path_storage_zero(&path);
  ngtcp2_pkt_info info{};
  const auto size = ngtcp2_conn_write_connection_close(native_, &path.path, &info, farewell_.data(),
                                                       farewell_.size(), &error_, quic_now());
  farewell_.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  // Nothing can be said before there are keys to say it with.
  if (farewell_.empty()) return leave_open(State::Over);
  static_cast<void>(endpoint_.socket().send(farewell_, farewell_.size(), path.path, 0));
  leave_open(State::Closing);
}

void QuicConnection::leave_open(State next) {
  if (state_ == State::Open) {
    if (handshaking_) endpoint_.handshake_ended();
    handshaking_ = false;
    endpoint_.connection_ended(admitted_);
  }
  state_ = next;
  retry_send_.cancel();
  pending_ = {};
  end_at_ = next == State::Over ? UINT64_MAX : quic_now() + 3 * ngtcp2_conn_get_pto(native_);
  if (session_ != nullptr) session_->end_requests();
}

ngtcp2_tstamp QuicConnection::expiry() const {
  if (state_ != State::Open) return end_at_;
  const ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(native_);
  // ngtcp2 also says when the next burst may go when there is none; what else it waits for is no
  // finer than RFC 9002's granularity.
  return waits_ ? expiry : std::max(expiry, sent_at_ + kGranularity);
}

void QuicConnection::on_expiry() {
  if (state_ != State::Open) {
    state_ = State::Over;
    return;
  }
  const int code = ngtcp2_conn_handle_expiry(native_, quic_now());
  if (code == 0) return;
  // RFC 9000 section 10.1: an idle connection ends without a word.
  if (code == NGTCP2_ERR_IDLE_CLOSE || code == NGTCP2_ERR_HANDSHAKE_TIMEOUT)
    return leave_open(State::Over);
  on_read_error(code);
}

}  // namespace headgate::server
