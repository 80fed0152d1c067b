// SPDX-License-Identifier: MIT
#include "appliance/server/connection/tls.h"

#include <openssl/err.h>
#include <openssl/sha.h>

#include <cstring>
#include <string>

#include "appliance/http/authority.h"

namespace headgate::server {
namespace {

using schema::MinimumProtocolVersion;

// Application data of a connection: whether its distribution speaks HTTP/2.
constexpr char kHttp1Only = 1;

constexpr const char* kCiphers2021 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphers2019 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256:"
    "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-SHA384:"
    "ECDHE-RSA-AES256-SHA384";
constexpr const char* kCiphers2018 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256:"
    "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-SHA384:"
    "ECDHE-RSA-AES256-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256";

const char* ciphers_of(MinimumProtocolVersion minimum) {
  switch (minimum) {
    case MinimumProtocolVersion::Tls1_2018:
      return kCiphers2018;
    case MinimumProtocolVersion::Tls1_2019:
      return kCiphers2019;
    case MinimumProtocolVersion::Tls1_2021:
    case MinimumProtocolVersion::Tls1_2_2025:
    case MinimumProtocolVersion::Tls1_3_2025:
      return kCiphers2021;
  }
  return kCiphers2021;
}

/// The host_name of the server_name extension, RFC 6066 section 3: length of the list, type 0,
/// length, name.
std::string_view server_name(SSL* connection) {
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(connection, TLSEXT_TYPE_server_name, &extension, &size) != 1)
    return {};
  if (size < 5 || extension[2] != TLSEXT_NAMETYPE_host_name) return {};
  const std::size_t length = (std::size_t{extension[3]} << 8) | extension[4];
  if (length > size - 5) return {};
  return {reinterpret_cast<const char*>(extension) + 5, length};
}

int select_protocol(SSL* connection, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kBoth[] = "\x02h2\x08http/1.1";
  const bool http1_only = SSL_get_app_data(connection) != nullptr;
  const unsigned char* ours = http1_only ? kBoth + 3 : kBoth;
  const unsigned int ours_size = static_cast<unsigned int>(sizeof kBoth - 1 - (http1_only ? 3 : 0));
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_size, ours, ours_size, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 section 3.2: no_application_protocol
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::unique_ptr<Tls>> Tls::make(snapshot::SnapshotHolder& snapshots, Callbacks callbacks) {
  HG_TRY(auto self_signed, snapshot::Certificate::self_signed({"localhost", "127.0.0.1", "::1"}),
         "starting TLS");
  std::unique_ptr<Tls> tls(new Tls(snapshots, std::move(self_signed), callbacks));
  if (tls->context_ == nullptr) return fail(Blame::Self, "starting TLS: no OpenSSL context");
  return tls;
}

Tls::Tls(snapshot::SnapshotHolder& snapshots,
         std::shared_ptr<const snapshot::Certificate> self_signed, Callbacks callbacks)
    : snapshots_(snapshots),
      self_signed_(std::move(self_signed)),
      callbacks_(callbacks),
      context_(SSL_CTX_new(TLS_server_method())) {
  if (context_ == nullptr) return;
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  // Renegotiation lets a client make the server work for nothing; TLS 1.3 has none.
  SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Tickets carry sessions between workers; a cache would be a lock that they share.
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context_, select_protocol, nullptr);
  SSL_CTX_set_app_data(context_, this);
  SSL_CTX_set_info_callback(context_, on_info);
  if (callbacks_.hello != nullptr) SSL_CTX_set_msg_callback(context_, on_message);
  SSL_CTX_set_client_hello_cb(
      context_,
      [](SSL* connection, int* alert, void* self) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return static_cast<const Tls*>(self)->on_client_hello(connection);
      },
      this);
}

Tls::~Tls() { SSL_CTX_free(context_); }

void Tls::on_info(const SSL* connection, int where, int value) {
  if ((where & SSL_CB_ALERT) == 0 || (value >> 8) != SSL3_AL_FATAL ||
      SSL_is_init_finished(connection) == 1)
    return;
  const auto* self = static_cast<const Tls*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)));
  if (self->callbacks_.failed != nullptr) self->callbacks_.failed(connection);
}

/// The first handshake message as it came: OpenSSL's own view of it lacks the extensions that it
/// does not know.
void Tls::on_message(int sent, int, int type, const void* octets, std::size_t size, SSL* connection,
                     void*) {
  if (sent != 0 || type != SSL3_RT_HANDSHAKE) return;
  SSL_set_msg_callback(connection, nullptr);
  const auto* self = static_cast<const Tls*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)));
  const auto hello = guard::waf::parse_client_hello({static_cast<const char*>(octets), size});
  if (hello) self->callbacks_.hello(connection, *hello);
}

int Tls::on_client_hello(SSL* connection) const {
  if (callbacks_.admitted != nullptr && !callbacks_.admitted(connection))
    return SSL_CLIENT_HELLO_ERROR;
  const auto snapshot = snapshots_.get();
  const auto name = http::parse_authority(server_name(connection));
  const std::string host = name ? name->host : std::string();
  const snapshot::Distribution* distribution =
      snapshot == nullptr || host.empty() ? nullptr : snapshot->configuration->find(host);

  unsigned char context_id[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(host.data()), host.size(), context_id);
  bool installed = SSL_set_session_id_context(connection, context_id, sizeof context_id) == 1;

  const bool has_own = distribution != nullptr && distribution->certificate != nullptr;
  installed =
      installed && install(connection, has_own ? *distribution->certificate : *self_signed_);
  if (distribution != nullptr) {
    installed = installed && restrict_protocol(connection, distribution->minimum_protocol_version);
    if (!distribution->http2) SSL_set_app_data(connection, const_cast<char*>(&kHttp1Only));
  }
  if (!installed) ERR_clear_error();
  return installed ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

bool Tls::install(SSL* connection, const snapshot::Certificate& certificate) const {
  STACK_OF(X509)* chain = sk_X509_new_null();
  if (chain == nullptr) return false;
  bool complete = true;
  for (std::size_t i = 1; i < certificate.chain().size(); ++i)
    complete = sk_X509_push(chain, certificate.chain()[i].get()) > 0 && complete;
  const bool installed = complete && SSL_use_cert_and_key(connection, certificate.leaf(),
                                                          certificate.key(), chain, 1) == 1;
  sk_X509_free(chain);  // the connection has references of its own
  return installed;
}

bool Tls::restrict_protocol(SSL* connection, MinimumProtocolVersion minimum) const {
  const int version =
      minimum == MinimumProtocolVersion::Tls1_3_2025 ? TLS1_3_VERSION : TLS1_2_VERSION;
  return SSL_set_min_proto_version(connection, version) == 1 &&
         SSL_set_cipher_list(connection, ciphers_of(minimum)) == 1;
}

}  // namespace headgate::server
