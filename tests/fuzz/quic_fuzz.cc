// SPDX-License-Identifier: MIT
// Fuzzes what an edge reads of QUIC clients that have proved nothing yet: datagrams as they come,
// with connection ids of the edge's or without, and ClientHellos in well-formed Initial packets.
// Besides not crashing, the edge must go on answering, and send no more than three times what it
// was sent (RFC 9000 section 8.1).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/server/h3/quic/library.h"
#include "tests/fuzz/quic_target.h"

using namespace headgate;
using namespace headgate::fuzz;

namespace {

constexpr std::size_t kMostDatagrams = 8;

/// A ClientHello as GnuTLS makes it, with what ngtcp2 adds, changed as the input says.
struct ClientHello {
  explicit ClientHello(Input& input_) : input(input_) {
    gnutls_init(&tls, GNUTLS_CLIENT);
    gnutls_priority_set_direct(tls, "NORMAL:-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE",
                               nullptr);
    ngtcp2_crypto_gnutls_configure_client_session(tls);
    reference.user_data = this;
    reference.get_conn = [](ngtcp2_crypto_conn_ref* to) {
      return static_cast<ClientHello*>(to->user_data)->native;
    };
    gnutls_session_set_ptr(tls, &reference);
    gnutls_handshake_set_read_function(tls, [](gnutls_session_t session,
                                               gnutls_record_encryption_level_t,
                                               gnutls_handshake_description_t, const void* octets,
                                               std::size_t size) {
      auto* to = static_cast<ngtcp2_crypto_conn_ref*>(gnutls_session_get_ptr(session));
      static_cast<ClientHello*>(to->user_data)->text.append(static_cast<const char*>(octets), size);
      return 0;
    });
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_server_name_set(tls, GNUTLS_NAME_DNS, "shop.test", 9);
    static unsigned char protocol[] = {'h', '3'};
    const gnutls_datum_t offered = {protocol, sizeof protocol};
    gnutls_alpn_set_protocols(tls, &offered, 1, 0);
  }
  ~ClientHello() {
    ngtcp2_conn_del(native);
    gnutls_deinit(tls);
    gnutls_certificate_free_credentials(credentials);
  }
  ClientHello(const ClientHello&) = delete;
  ClientHello& operator=(const ClientHello&) = delete;

  /// Octets are replaced, and at the end some are left out or added; lengths inside stay as said.
  void change() {
    for (unsigned changes = input.octet() % 8; changes > 0 && !text.empty(); --changes) {
      const std::size_t at = input.number() % text.size();
      const std::string_view with = input.take(input.octet() % 16);
      text.replace(at, with.size(), with);
    }
    if (input.octet() % 4 == 1) text.resize(text.size() - input.number() % text.size());
    text += input.take(input.number() % 512);
  }

  static int begin(ngtcp2_conn* connection, void* user) {
    ClientHello& self = *static_cast<ClientHello*>(user);
    // It makes keys, and has GnuTLS speak: to the function above.
    if (ngtcp2_crypto_client_initial_cb(connection, user) != 0) return NGTCP2_ERR_CALLBACK_FAILURE;
    self.change();
    return ngtcp2_conn_submit_crypto_data(connection, NGTCP2_ENCRYPTION_LEVEL_INITIAL,
                                          reinterpret_cast<const std::uint8_t*>(self.text.data()),
                                          self.text.size());
  }

  void send(Line& line) {
    ngtcp2_callbacks callbacks{};
    callbacks.client_initial = begin;
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
    callbacks.rand = [](std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx*) {
      gnutls_rnd(GNUTLS_RND_NONCE, out, size);
    };
    callbacks.get_new_connection_id = [](ngtcp2_conn*, ngtcp2_cid*, std::uint8_t*, std::size_t,
                                         void*) { return 0; };
    ngtcp2_settings settings;
    ngtcp2_settings_default(&settings);
    settings.initial_ts = server::quic_now();
    ngtcp2_transport_params parameters;
    ngtcp2_transport_params_default(&parameters);
    parameters.initial_max_streams_uni = 3;
    ngtcp2_cid to{};
    ngtcp2_cid from{};
    to.datalen = from.datalen = 16;
    gnutls_rnd(GNUTLS_RND_NONCE, to.data, to.datalen);
    const ngtcp2_path here = line.path();
    const std::uint32_t version =
        input.octet() % 2 == 0 ? NGTCP2_PROTO_VER_V1 : NGTCP2_PROTO_VER_V2;
    require(ngtcp2_conn_client_new(&native, &to, &from, &here, version, &callbacks, &settings,
                                   &parameters, nullptr, this) == 0);
    ngtcp2_conn_set_tls_native_handle(native, tls);
    std::array<std::uint8_t, 1452> packet;
    for (std::size_t i = 0; i < kMostDatagrams; ++i) {
      const auto size = ngtcp2_conn_write_pkt(native, nullptr, nullptr, packet.data(),
                                              packet.size(), server::quic_now());
      if (size <= 0) break;
      line.send({reinterpret_cast<const char*>(packet.data()), static_cast<std::size_t>(size)});
    }
  }

  Input& input;
  std::string text;
  ngtcp2_conn* native = nullptr;
  gnutls_session_t tls = nullptr;
  gnutls_certificate_credentials_t credentials = nullptr;
  ngtcp2_crypto_conn_ref reference{};
};

/// Each begins with its length; `own`: with an id of the edge's where a packet's id stands.
void send_datagrams(Target& target, Line& line, Input& input, bool own) {
  for (std::size_t i = 0; i < kMostDatagrams && !input.empty(); ++i) {
    std::string datagram(input.take(input.number() % 1500));
    if (datagram.empty()) continue;
    if (own) {
      const ngtcp2_cid id = target.secrets.make_id(0, 1);
      const std::string text(reinterpret_cast<const char*>(id.data), id.datalen);
      const bool is_long = (datagram[0] & 0x80) != 0;
      const std::size_t at = std::min(datagram.size(), std::size_t{is_long ? 6U : 1U});
      if (is_long && at == 6) datagram[5] = static_cast<char>(text.size());
      datagram.insert(at, text);
    }
    line.send(datagram);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  static Target& target = *new Target;  // its threads run until the process ends
  Input input(octets, size);
  const std::uint8_t way = input.octet() % 3;
  Line line(target.at);
  if (way == 2) {
    ClientHello(input).send(line);
  } else {
    send_datagrams(target, line, input, way == 1);
  }
  line.wait();
  return 0;
}
