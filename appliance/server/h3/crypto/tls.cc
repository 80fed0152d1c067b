// SPDX-License-Identifier: MIT
#include "appliance/server/h3/crypto/tls.h"

#include <gnutls/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/http/authority.h"

namespace headgate::server {
namespace {

// RFC 9001 section 4: TLS 1.3 only, and no octets that pretend to be TLS 1.2 (section 8.4).
/// How old a ClientHello with early data may be: RFC 8446 section 8.3.
constexpr Duration kEarlyDataWindow = std::chrono::seconds(10);

constexpr const char* kPriorities =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
    "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:%DISABLE_TLS13_COMPAT_MODE";

/// DER of what OpenSSL has; empty when it fails.
template <class Object, class Encode>
std::string to_der(Object* object, Encode encode) {
  unsigned char* out = nullptr;
  const int size = encode(object, &out);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
  OPENSSL_clear_free(out, static_cast<std::size_t>(size));
  return der;
}

gnutls_datum_t datum(const std::string& text) {
  return {.data = reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
          .size = static_cast<unsigned>(text.size())};
}

}  // namespace

struct QuicTls::Credentials {
  Credentials() { HG_ASSERT(gnutls_certificate_allocate_credentials(&native) >= 0); }
  ~Credentials() { gnutls_certificate_free_credentials(native); }
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  bool load(const snapshot::Certificate& certificate);

  gnutls_certificate_credentials_t native = nullptr;
  /// Keeps the address from being another certificate's.
  std::weak_ptr<const snapshot::Certificate> of;
};

bool QuicTls::Credentials::load(const snapshot::Certificate& certificate) {
  std::vector<gnutls_x509_crt_t> chain;
  bool complete = true;
  for (const auto& one : certificate.chain()) {
    const std::string der =
        to_der(one.get(), [](X509* x509, unsigned char** out) { return i2d_X509(x509, out); });
    const gnutls_datum_t data = datum(der);
    gnutls_x509_crt_t imported = nullptr;
    if (der.empty() || gnutls_x509_crt_init(&imported) < 0) {
      complete = false;
      break;
    }
    chain.push_back(imported);
    complete = complete && gnutls_x509_crt_import(imported, &data, GNUTLS_X509_FMT_DER) >= 0;
  }
  std::string key_der = to_der(certificate.key(), [](EVP_PKEY* key, unsigned char** out) {
    PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key);
    const int size = info == nullptr ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, out);
    PKCS8_PRIV_KEY_INFO_free(info);
    return size;
  });
  gnutls_x509_privkey_t key = nullptr;
  const gnutls_datum_t key_data = datum(key_der);
  complete = complete && !key_der.empty() && gnutls_x509_privkey_init(&key) >= 0 &&
             gnutls_x509_privkey_import_pkcs8(key, &key_data, GNUTLS_X509_FMT_DER, nullptr,
                                              GNUTLS_PKCS_PLAIN) >= 0 &&
             gnutls_certificate_set_x509_key(native, chain.data(), static_cast<int>(chain.size()),
                                             key) >= 0;
  OPENSSL_cleanse(key_der.data(), key_der.size());
  if (key != nullptr) gnutls_x509_privkey_deinit(key);
  for (const auto imported : chain) gnutls_x509_crt_deinit(imported);
  return complete;
}

Result<std::unique_ptr<QuicTls>> QuicTls::make(
    snapshot::SnapshotHolder& snapshots, std::shared_ptr<const snapshot::Certificate> self_signed,
    const QuicSeed& seed) {
  std::unique_ptr<QuicTls> tls(new QuicTls(snapshots, std::move(self_signed), seed));
  const char* at = nullptr;
  if (const int code = gnutls_priority_init(&tls->priorities_, kPriorities, &at); code < 0)
    return fail(Blame::Self, "starting TLS for QUIC: {} at {}", gnutls_strerror(code),
                at == nullptr ? "" : at);
  return tls;
}

QuicTls::QuicTls(snapshot::SnapshotHolder& snapshots,
                 std::shared_ptr<const snapshot::Certificate> self_signed, const QuicSeed& seed)
    : snapshots_(snapshots),
      self_signed_(std::move(self_signed)),
      ticket_seed_(QuicSecrets::derive_wide(seed, "headgate quic ticket")) {
  make_replay_guards();
}

void QuicTls::make_replay_guards() {
  for (auto* guard : {&anti_replay_, &all_replayed_}) {
    HG_ASSERT(gnutls_anti_replay_init(guard) >= 0);
    gnutls_anti_replay_set_window(*guard, static_cast<unsigned>(kEarlyDataWindow.count()));
  }
  gnutls_anti_replay_set_ptr(anti_replay_, &replays_);
  gnutls_anti_replay_set_add_function(
      anti_replay_,
      [](void* store, std::time_t expires, const gnutls_datum_t* key,
         const gnutls_datum_t*) -> int {
        const std::string_view hello(reinterpret_cast<const char*>(key->data), key->size);
        return static_cast<ReplayStore*>(store)->add(hello, expires, std::time(nullptr))
                   ? 0
                   : GNUTLS_E_DB_ENTRY_EXISTS;
      });
  gnutls_anti_replay_set_add_function(
      all_replayed_, [](void*, std::time_t, const gnutls_datum_t*, const gnutls_datum_t*) -> int {
        return GNUTLS_E_DB_ENTRY_EXISTS;
      });
}

QuicTls::~QuicTls() {
  gnutls_anti_replay_deinit(anti_replay_);
  gnutls_anti_replay_deinit(all_replayed_);
  if (priorities_ != nullptr) gnutls_priority_deinit(priorities_);
}

bool QuicTls::is_wanted() const {
  const auto snapshot = snapshots_.get();
  return snapshot != nullptr && snapshot->configuration->speaks_http3();
}

bool QuicTls::takes_early_data() const {
  const auto snapshot = snapshots_.get();
  return snapshot != nullptr && snapshot->configuration->takes_early_data();
}

std::shared_ptr<const QuicTls::Credentials> QuicTls::credentials_of(
    const std::shared_ptr<const snapshot::Certificate>& certificate) {
  const base::MutexLock lock(mutex_);
  const auto found = known_.find(certificate.get());
  if (found != known_.end() && found->second->of.lock() == certificate) return found->second;
  // A new one comes with a commit: the time to forget those that went with it.
  std::erase_if(known_, [](const auto& entry) { return entry.second->of.expired(); });
  auto credentials = std::make_shared<Credentials>();
  if (!credentials->load(*certificate)) return nullptr;
  credentials->of = certificate;
  known_[certificate.get()] = credentials;
  return credentials;
}

QuicTlsSession::QuicTlsSession(QuicTls& tls, ngtcp2_conn* const& connection)
    : tls_(tls), connection_(connection) {
  reference_.super.get_conn = [](ngtcp2_crypto_conn_ref* reference) {
    return reinterpret_cast<Reference*>(reference)->self->connection_;
  };
  reference_.self = this;
  // Tickets are sent when the handshake is over: before that there are no keys for them. With early
  // data they speak of it; whether it is taken is the distribution's business, see `choose`.
  unsigned flags = GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET | GNUTLS_NO_END_OF_EARLY_DATA;
  if (tls.takes_early_data()) flags |= GNUTLS_ENABLE_EARLY_DATA;
  HG_ASSERT(gnutls_init(&session_, flags) >= 0);
  HG_ASSERT(gnutls_priority_set(session_, tls.priorities_) >= 0);
  HG_ASSERT(ngtcp2_crypto_gnutls_configure_server_session(session_) == 0);
  gnutls_session_set_ptr(session_, &reference_);
  gnutls_handshake_set_post_client_hello_function(session_, on_client_hello);
  gnutls_handshake_set_hook_function(
      session_, GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE,
      [](gnutls_session_t session, unsigned, unsigned, unsigned, const gnutls_datum_t* message) {
        static_cast<Reference*>(gnutls_session_get_ptr(session))->self->note_fingerprint(*message);
        return 0;
      });
  static constexpr char kProtocol[] = "h3";
  const gnutls_datum_t protocol = {
      .data = reinterpret_cast<unsigned char*>(const_cast<char*>(kProtocol)),
      .size = sizeof kProtocol - 1};
  gnutls_alpn_set_protocols(session_, &protocol, 1,
                            GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
}

QuicTlsSession::~QuicTlsSession() { gnutls_deinit(session_); }

int QuicTlsSession::on_client_hello(gnutls_session_t session) {
  auto* reference = static_cast<Reference*>(gnutls_session_get_ptr(session));
  char name[256];
  std::size_t size = sizeof name;
  unsigned type = 0;
  const bool named =
      gnutls_server_name_get(session, name, &size, &type, 0) == 0 && type == GNUTLS_NAME_DNS;
  return reference->self->choose(named ? std::string_view(name, size) : std::string_view());
}

/// `message` is without its type and length.
void QuicTlsSession::note_fingerprint(const gnutls_datum_t& message) {
  // A client that was told to try again (RFC 8446 section 4.1.4) is known by its first try.
  if (fingerprint_) return;
  std::string octets = {'\x01', static_cast<char>(message.size >> 16),
                        static_cast<char>(message.size >> 8), static_cast<char>(message.size)};
  octets.append(reinterpret_cast<const char*>(message.data), message.size);
  auto hello = guard::waf::parse_client_hello(octets);
  if (!hello) return;
  hello->quic = true;
  fingerprint_ = guard::waf::fingerprint(*hello);
}

int QuicTlsSession::choose(std::string_view name) {
  // GnuTLS counts the terminating zero of some names.
  while (name.ends_with('\0')) name.remove_suffix(1);
  const auto snapshot = tls_.snapshots_.get();
  const auto authority = http::parse_authority(name);
  const std::string host = authority ? authority->host : std::string();
  bool early = false;
  const snapshot::Distribution* distribution =
      snapshot == nullptr || host.empty() ? nullptr : snapshot->configuration->find(host);
  if (distribution != nullptr) {
    // RFC 9114 section 3.1: without a common protocol the client goes elsewhere, to TCP.
    if (!distribution->http3) return GNUTLS_E_NO_APPLICATION_PROTOCOL;
    certificate_ = distribution->certificate;
    early = distribution->early_data;
  }
  credentials_ = tls_.credentials_of(certificate_ != nullptr ? certificate_ : tls_.self_signed_);
  if (credentials_ == nullptr) return GNUTLS_E_CERTIFICATE_ERROR;
  // Sessions resume only under the name that they were made for: the key of tickets is the name's.
  unsigned char key[64];
  if (gnutls_hmac_fast(GNUTLS_MAC_SHA512, tls_.ticket_seed_.data(), tls_.ticket_seed_.size(),
                       host.data(), host.size(), key) < 0)
    return GNUTLS_E_INTERNAL_ERROR;
  const gnutls_datum_t ticket_key = {.data = key, .size = sizeof key};
  const int enabled = gnutls_session_ticket_enable_server(session_, &ticket_key);
  gnutls_memset(key, 0, sizeof key);
  if (enabled < 0) return enabled;
  gnutls_anti_replay_enable(session_, early ? tls_.anti_replay_ : tls_.all_replayed_);
  gnutls_record_set_max_early_data_size(session_, UINT32_MAX);  // RFC 9001 section 4.6.1
  return gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_->native);
}

void QuicTlsSession::send_ticket() {
  // Without one the next handshake is a full one: nothing is lost.
  static_cast<void>(gnutls_session_ticket_send(session_, 1, 0));
}

bool QuicTlsSession::covers(const std::string& host) {
  if (certificate_ == nullptr || host == covered_) return true;
  if (X509_check_host(certificate_->leaf(), host.data(), host.size(), 0, nullptr) != 1)
    return false;
  covered_ = host;
  return true;
}

}  // namespace headgate::server
