// SPDX-License-Identifier: MIT
// TLS 1.3 for QUIC by GnuTLS, whose library offers QUIC what Debian's OpenSSL does not: the same
// certificates as on TCP, by the name that the client asks for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "appliance/base/mutex.h"
#include "appliance/guard/waf/fingerprint/client_hello.h"
#include "appliance/server/h3/crypto/replay.h"
#include "appliance/server/h3/crypto/secrets.h"
#include "appliance/server/h3/quic/library.h"
#include "appliance/snapshot/secret/certificate.h"
#include "appliance/snapshot/snapshot.h"
#include "schema/base/result.h"

namespace headgate::server {

/// What handshakes share. Each looks at the snapshot of its moment, so that a commit's certificates
/// hold from the next handshake on.
/// Threads: handshakes on any.
class QuicTls {
 public:
  static Result<std::unique_ptr<QuicTls>> make(
      snapshot::SnapshotHolder& snapshots, std::shared_ptr<const snapshot::Certificate> self_signed,
      const QuicSeed& seed);
  ~QuicTls();
  QuicTls(const QuicTls&) = delete;
  QuicTls& operator=(const QuicTls&) = delete;

  /// Whether any distribution speaks HTTP/3: without one nobody is answered.
  bool is_wanted() const;
  /// Whether any distribution takes early data.
  bool takes_early_data() const;

 private:
  friend class QuicTlsSession;
  /// A certificate in GnuTLS's form.
  struct Credentials;
  QuicTls(snapshot::SnapshotHolder& snapshots,
          std::shared_ptr<const snapshot::Certificate> self_signed, const QuicSeed& seed);
  void make_replay_guards();
  /// Null when GnuTLS does not take the certificate.
  std::shared_ptr<const Credentials> credentials_of(
      const std::shared_ptr<const snapshot::Certificate>& certificate);

  snapshot::SnapshotHolder& snapshots_;
  const std::shared_ptr<const snapshot::Certificate> self_signed_;
  gnutls_priority_t priorities_ = nullptr;
  ReplayStore replays_;
  gnutls_anti_replay_t anti_replay_ = nullptr;   ///< asks `replays_`
  gnutls_anti_replay_t all_replayed_ = nullptr;  ///< takes everything for a replay
  const std::array<std::uint8_t, 64> ticket_seed_;
  base::Mutex mutex_;
  std::unordered_map<const snapshot::Certificate*, std::shared_ptr<const Credentials>> known_
      GUARDED_BY(mutex_);
};

/// One connection's. Threads: the connection's.
class QuicTlsSession {
 public:
  /// `connection` is where ngtcp2 finds the connection; both outlive the session.
  QuicTlsSession(QuicTls& tls, ngtcp2_conn* const& connection);
  ~QuicTlsSession();
  QuicTlsSession(const QuicTlsSession&) = delete;
  QuicTlsSession& operator=(const QuicTlsSession&) = delete;

  gnutls_session_t native() const { return session_; }
  bool is_resumed() const { return gnutls_session_is_resumed(session_) != 0; }
  /// Sends a ticket for later connections, once the handshake is over.
  void send_ticket();
  /// Whether the certificate that this connection was made with speaks for `host` (lower case,
  /// without port). The self-signed one speaks for everybody: whoever accepted it has not asked.
  bool covers(const std::string& host);
  /// Of the client's first message; null when it has not come.
  const guard::waf::Fingerprint* fingerprint() const {
    return fingerprint_ ? &*fingerprint_ : nullptr;
  }

 private:
  /// ngtcp2 looks for the first member behind the session's pointer.
  struct Reference {
    ngtcp2_crypto_conn_ref super;
    QuicTlsSession* self;
  };
  static int on_client_hello(gnutls_session_t session);
  void note_fingerprint(const gnutls_datum_t& message);
  int choose(std::string_view name);

  QuicTls& tls_;
  ngtcp2_conn* const& connection_;
  Reference reference_{};
  gnutls_session_t session_ = nullptr;
  std::shared_ptr<const QuicTls::Credentials> credentials_;   ///< GnuTLS only points at them
  std::shared_ptr<const snapshot::Certificate> certificate_;  ///< null: the self-signed one
  std::optional<guard::waf::Fingerprint> fingerprint_;
  std::string covered_;  ///< the host that `covers` was asked for last, when it is covered
};

}  // namespace headgate::server
