// SPDX-License-Identifier: MIT
#include "tests/support/quic_client.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <utility>

namespace headgate::test {
namespace {

ngtcp2_tstamp now() {
  return static_cast<ngtcp2_tstamp>(std::chrono::steady_clock::now().time_since_epoch().count());
}

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "QuicClient: " << why << "\n";
  std::exit(2);
}

std::string to_hex(const std::uint8_t* octets, std::size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += kDigits[octets[i] >> 4];
    text += kDigits[octets[i] & 15];
  }
  return text;
}

std::string from_hex(const std::string& text) {
  std::string octets;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    octets += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return octets;
}

}  // namespace

struct QuicClientCallbacks {
  static QuicClient& self(void* user) { return *static_cast<QuicClient*>(user); }
  static void rand(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx*) {
    gnutls_rnd(GNUTLS_RND_NONCE, out, size);
  }
  static int new_id(ngtcp2_conn*, ngtcp2_cid* id, std::uint8_t* token, std::size_t size, void*) {
    id->datalen = size;
    gnutls_rnd(GNUTLS_RND_NONCE, id->data, size);
    gnutls_rnd(GNUTLS_RND_NONCE, token, NGTCP2_STATELESS_RESET_TOKENLEN);
    return 0;
  }
  static int completed(ngtcp2_conn*, void* user) {
    self(user).tell_("ready");
    return 0;
  }
  static int data(ngtcp2_conn* native, std::uint32_t flags, std::int64_t id, std::uint64_t,
                  const std::uint8_t* octets, std::size_t size, void* user, void*) {
    QuicClient& client = self(user);
    if (size != 0) client.tell_("data " + std::to_string(id) + " " + to_hex(octets, size));
    if (client.unread_.count(id) == 0) {
      ngtcp2_conn_extend_max_stream_offset(native, id, size);
      ngtcp2_conn_extend_max_offset(native, size);
    }
    if ((flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0) client.tell_("fin " + std::to_string(id));
    return 0;
  }
  static int reset(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t code, void* user,
                   void*) {
    self(user).tell_("reset " + std::to_string(id) + " " + std::to_string(code));
    return 0;
  }
  static int acked(ngtcp2_conn*, std::int64_t, std::uint64_t, std::uint64_t, void*, void*) {
    return 0;  // pieces are kept to the end: tests are short
  }
};

QuicClient::QuicClient(const char* address, std::uint16_t port, const char* name, Tell tell)
    : tell_(std::move(tell)), socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  remote_.sin_family = AF_INET;
  remote_.sin_port = htons(port);
  if (inet_pton(AF_INET, address, &remote_.sin_addr) != 1) give_up("not an address");
  if (connect(socket_, reinterpret_cast<sockaddr*>(&remote_), sizeof remote_) != 0)
    give_up("connect");
  socklen_t size = sizeof local_;
  getsockname(socket_, reinterpret_cast<sockaddr*>(&local_), &size);
  make_connection();
  make_tls(name);
}

QuicClient::~QuicClient() {
  ngtcp2_conn_del(native_);
  gnutls_deinit(tls_);
  gnutls_certificate_free_credentials(credentials_);
  ::close(socket_);
}

ngtcp2_path QuicClient::path() {
  return {{reinterpret_cast<ngtcp2_sockaddr*>(&local_), sizeof local_},
          {reinterpret_cast<ngtcp2_sockaddr*>(&remote_), sizeof remote_},
          nullptr};
}

void QuicClient::make_connection() {
  ngtcp2_callbacks callbacks{};
  callbacks.client_initial = ngtcp2_crypto_client_initial_cb;
  callbacks.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
  callbacks.encrypt = ngtcp2_crypto_encrypt_cb;
  callbacks.decrypt = ngtcp2_crypto_decrypt_cb;
  callbacks.hp_mask = ngtcp2_crypto_hp_mask_cb;
  callbacks.recv_retry = ngtcp2_crypto_recv_retry_cb;
  callbacks.update_key = ngtcp2_crypto_update_key_cb;
  callbacks.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
  callbacks.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
  callbacks.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
  callbacks.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
  callbacks.rand = QuicClientCallbacks::rand;
  callbacks.get_new_connection_id = QuicClientCallbacks::new_id;
  callbacks.handshake_completed = QuicClientCallbacks::completed;
  callbacks.recv_stream_data = QuicClientCallbacks::data;
  callbacks.stream_reset = QuicClientCallbacks::reset;
  callbacks.acked_stream_data_offset = QuicClientCallbacks::acked;

  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = now();
  settings.max_tx_udp_payload_size = packet_.size();
  ngtcp2_transport_params parameters;
  ngtcp2_transport_params_default(&parameters);
  parameters.initial_max_stream_data_bidi_local = 256 * 1024;
  parameters.initial_max_stream_data_uni = 256 * 1024;
  parameters.initial_max_data = 64 << 20;
  parameters.initial_max_streams_uni = 100;
  parameters.max_idle_timeout = 60 * NGTCP2_SECONDS;
  ngtcp2_cid to{};
  ngtcp2_cid from{};
  to.datalen = from.datalen = 16;
  gnutls_rnd(GNUTLS_RND_NONCE, to.data, to.datalen);
  gnutls_rnd(GNUTLS_RND_NONCE, from.data, from.datalen);
  const ngtcp2_path here = path();
  if (ngtcp2_conn_client_new(&native_, &to, &from, &here, NGTCP2_PROTO_VER_V1, &callbacks,
                             &settings, &parameters, nullptr, this) != 0)
    give_up("ngtcp2_conn_client_new");
}

void QuicClient::make_tls(const char* name) {
  gnutls_init(&tls_, GNUTLS_CLIENT | GNUTLS_NO_END_OF_EARLY_DATA);
  gnutls_priority_set_direct(tls_, "NORMAL:-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE",
                             nullptr);
  ngtcp2_crypto_gnutls_configure_client_session(tls_);
  reference_.user_data = this;
  reference_.get_conn = [](ngtcp2_crypto_conn_ref* reference) {
    return static_cast<QuicClient*>(reference->user_data)->native_;
  };
  gnutls_session_set_ptr(tls_, &reference_);
  gnutls_certificate_allocate_credentials(&credentials_);
  gnutls_credentials_set(tls_, GNUTLS_CRD_CERTIFICATE, credentials_);
  if (std::strlen(name) != 0)
    gnutls_server_name_set(tls_, GNUTLS_NAME_DNS, name, std::strlen(name));
  static unsigned char protocol[] = {'h', '3'};
  const gnutls_datum_t offered = {protocol, sizeof protocol};
  gnutls_alpn_set_protocols(tls_, &offered, 1, GNUTLS_ALPN_MANDATORY);
  ngtcp2_conn_set_tls_native_handle(native_, tls_);
}

void QuicClient::end(const std::string& line) {
  if (!ended_) tell_(line);
  ended_ = true;
}

void QuicClient::command(const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  std::int64_t id = -1;
  std::uint64_t code = 0;
  words >> verb;
  if (verb == "open") {
    std::string kind;
    words >> kind;
    const int result = kind == "uni" ? ngtcp2_conn_open_uni_stream(native_, &id, nullptr)
                                     : ngtcp2_conn_open_bidi_stream(native_, &id, nullptr);
    if (result == 0) streams_[id];
    return tell_("opened " + std::to_string(result == 0 ? id : -1));
  }
  if (verb == "sync") {
    syncing_ = true;
    return;
  }
  if (verb == "rekey") {
    if (ngtcp2_conn_initiate_key_update(native_, now()) != 0) give_up("no key update yet");
    return;
  }
  if (verb == "close") {
    words >> code;
    return close(code);
  }
  words >> id;
  if (verb == "send") {
    std::string hex;
    std::string fin;
    words >> hex >> fin;
    Outgoing& out = streams_[id];
    if (hex != "-") out.waiting.push_back({std::make_shared<std::string>(from_hex(hex))});
    out.fin = fin == "fin";
  } else if (verb == "reset") {
    words >> code;
    ngtcp2_conn_shutdown_stream_write(native_, 0, id, code);
    streams_[id].shut = true;
  } else if (verb == "stop") {
    words >> code;
    ngtcp2_conn_shutdown_stream_read(native_, 0, id, code);
  } else if (verb == "read") {
    std::string whether;
    words >> whether;
    if (whether == "no") {
      unread_.insert(id);
    } else {
      unread_.erase(id);
      ngtcp2_conn_extend_max_stream_offset(native_, id, 1 << 20);
    }
  } else {
    give_up("unknown command: " + line);
  }
}

void QuicClient::close(std::uint64_t code) {
  ngtcp2_ccerr error;
  ngtcp2_ccerr_default(&error);
  ngtcp2_ccerr_set_application_error(&error, code, nullptr, 0);
  ngtcp2_path_storage where;
  ngtcp2_path_storage_zero(&where);
  ngtcp2_pkt_info info{};
  const auto size = ngtcp2_conn_write_connection_close(native_, &where.path, &info, packet_.data(),
                                                       packet_.size(), &error, now());
  if (size > 0) send(static_cast<std::size_t>(size));
  end("ended by us");
}

void QuicClient::send(std::size_t size) {
  static_cast<void>(::send(socket_, packet_.data(), size, 0));
}

void QuicClient::receive() {
  std::array<std::uint8_t, 2048> octets;
  while (!ended_) {
    const ssize_t size = recv(socket_, octets.data(), octets.size(), MSG_DONTWAIT);
    if (size < 0) return;
    const ngtcp2_path here = path();
    const ngtcp2_pkt_info info{};
    const int code = ngtcp2_conn_read_pkt(native_, &here, &info, octets.data(),
                                          static_cast<std::size_t>(size), now());
    if (code == 0) continue;
    if (code == NGTCP2_ERR_DRAINING) {
      const ngtcp2_ccerr* error = ngtcp2_conn_get_ccerr(native_);
      const bool app = error->type == NGTCP2_CCERR_TYPE_APPLICATION;
      return end(std::string("closed ") + (app ? "app " : "transport ") +
                 std::to_string(error->error_code));
    }
    return end(std::string("ended ") + ngtcp2_strerror(code));
  }
}

/// Whether the packet is still open for more.
bool QuicClient::write_stream(std::int64_t id, Outgoing& out) {
  ngtcp2_path_storage where;
  ngtcp2_path_storage_zero(&where);
  ngtcp2_pkt_info info{};
  while (!out.shut && (!out.waiting.empty() || (out.fin && !out.fin_sent))) {
    ngtcp2_vec piece{};
    if (!out.waiting.empty()) {
      Outgoing::Piece& first = out.waiting.front();
      piece = {reinterpret_cast<std::uint8_t*>(first.octets->data()) + first.taken,
               first.octets->size() - first.taken};
    }
    const bool last = out.fin && out.waiting.size() <= 1;
    ngtcp2_ssize taken = -1;
    const auto size = ngtcp2_conn_writev_stream(
        native_, &where.path, &info, packet_.data(), packet_.size(), &taken,
        last ? NGTCP2_WRITE_STREAM_FLAG_FIN : NGTCP2_WRITE_STREAM_FLAG_NONE, id, &piece,
        out.waiting.empty() ? 0 : 1, now());
    if (size == NGTCP2_ERR_STREAM_DATA_BLOCKED) return true;
    if (size == NGTCP2_ERR_STREAM_SHUT_WR || size == NGTCP2_ERR_STREAM_NOT_FOUND) {
      out.shut = true;
      tell_("shut " + std::to_string(id));
      return true;
    }
    if (size < 0) {
      end(std::string("ended ") + ngtcp2_strerror(static_cast<int>(size)));
      return false;
    }
    if (taken >= 0) {
      if (!out.waiting.empty()) out.waiting.front().taken += static_cast<std::size_t>(taken);
      if (static_cast<std::size_t>(taken) == piece.len) {
        out.fin_sent = last;
        if (!out.waiting.empty()) {
          out.sent.push_back(std::move(out.waiting.front().octets));
          out.waiting.pop_front();
        }
      }
    }
    if (size == 0) return true;
    send(static_cast<std::size_t>(size));
  }
  return true;
}

void QuicClient::write() {
  for (auto& [id, out] : streams_)
    if (ended_ || !write_stream(id, out)) return;
  ngtcp2_path_storage where;
  ngtcp2_path_storage_zero(&where);
  ngtcp2_pkt_info info{};
  while (!ended_) {
    const auto size =
        ngtcp2_conn_write_pkt(native_, &where.path, &info, packet_.data(), packet_.size(), now());
    if (size < 0) return end(std::string("ended ") + ngtcp2_strerror(static_cast<int>(size)));
    if (size == 0) break;
    send(static_cast<std::size_t>(size));
  }
  ngtcp2_conn_update_pkt_tx_time(native_, now());
  ngtcp2_conn_info facts;
  ngtcp2_conn_get_conn_info(native_, &facts);
  if (syncing_ && facts.bytes_in_flight == 0) {
    syncing_ = false;
    tell_("synced");
  }
}

bool QuicClient::turn(int other) {
  const bool had_ended = ended_;
  const bool was_syncing = syncing_;
  if (!ended_) write();
  const ngtcp2_tstamp expiry = ended_ ? UINT64_MAX : ngtcp2_conn_get_expiry(native_);
  const ngtcp2_tstamp at = now();
  int wait = -1;
  if (expiry != UINT64_MAX)
    wait = expiry <= at ? 0 : static_cast<int>((expiry - at) / NGTCP2_MILLISECONDS + 1);
  if (ended_ != had_ended || syncing_ != was_syncing) wait = 0;  // somebody waits for just that
  std::array<pollfd, 2> sources = {pollfd{other, POLLIN, 0},
                                   pollfd{ended_ ? -1 : socket_, POLLIN, 0}};
  poll(sources.data(), sources.size(), wait);
  if (!ended_ && ngtcp2_conn_get_expiry(native_) <= now()) {
    const int code = ngtcp2_conn_handle_expiry(native_, now());
    if (code != 0) end(std::string("ended ") + ngtcp2_strerror(code));
  }
  if (sources[1].revents != 0) receive();
  return sources[0].revents != 0;
}

}  // namespace headgate::test
