// SPDX-License-Identifier: MIT
// TLS towards viewers: one OpenSSL context for every worker; certificate, protocol versions and
// ALPN by the name that the client asks for.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "appliance/guard/waf/fingerprint/client_hello.h"
#include "appliance/snapshot/secret/certificate.h"
#include "appliance/snapshot/snapshot.h"
#include "schema/base/result.h"

namespace headgate::server {

/// Each handshake looks at the snapshot of its moment, so that a commit's certificates hold from
/// the next handshake on. A name without a certificate, and a client without SNI, gets the
/// self-signed one. Sessions resume only under the name that they were made for (h2o.md defect 11):
/// the session id context is a hash of the name. Threads: handshakes on any.
class Tls {
 public:
  /// Called on the handshake's thread; each may be null.
  struct Callbacks {
    /// When a fatal alert, of either side, ends it.
    void (*failed)(const SSL* connection) = nullptr;
    /// Before it costs anything; false ends it.
    bool (*admitted)(const SSL* connection) = nullptr;
    /// With what the client sent first.
    void (*hello)(const SSL* connection, const guard::waf::ClientHello& hello) = nullptr;
  };
  static Result<std::unique_ptr<Tls>> make(snapshot::SnapshotHolder& snapshots,
                                           Callbacks callbacks);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  SSL_CTX* context() const { return context_; }
  /// What a name without a certificate gets.
  const std::shared_ptr<const snapshot::Certificate>& self_signed() const { return self_signed_; }

 private:
  Tls(snapshot::SnapshotHolder& snapshots, std::shared_ptr<const snapshot::Certificate> self_signed,
      Callbacks callbacks);
  static void on_message(int sent, int version, int type, const void* octets, std::size_t size,
                         SSL* connection, void* unused);
  static void on_info(const SSL* connection, int where, int value);
  int on_client_hello(SSL* connection) const;
  bool install(SSL* connection, const snapshot::Certificate& certificate) const;
  bool restrict_protocol(SSL* connection, schema::MinimumProtocolVersion minimum) const;

  snapshot::SnapshotHolder& snapshots_;
  std::shared_ptr<const snapshot::Certificate> self_signed_;
  Callbacks callbacks_;
  SSL_CTX* context_;
};

}  // namespace headgate::server
