// SPDX-License-Identifier: MIT
// Handshakes between OpenSSL's client and ours over memory, without sockets.
#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "appliance/server/connection/tls.h"
#include "tests/support/certificate.h"
#include "tests/support/memory_tree.h"

namespace schema = headgate::schema;
namespace snapshot = headgate::snapshot;
using headgate::server::Tls;

namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* connection) const { SSL_free(connection); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

int failures_seen = 0;
bool admits = true;

/// Distributions a (own certificate), b (HTTP/1 only) and c (TLS 1.3 only), published.
struct Edge {
  Edge() {
    const auto made = headgate::test::make_certificate("DNS:a.example.com");
    setenv("HEADGATE_TEST_KEY", made.key_pem.c_str(), 1);
    schema::MemoryTree tree({{"a.pem", made.certificate_pem}, {"repository.yaml", yaml()}});
    schema::Loader loader;
    auto loaded = loader.load(tree);
    for (const auto& diagnostic : loaded.diagnostics) MESSAGE(diagnostic.text());
    REQUIRE(loaded.model != nullptr);
    auto compiled = snapshot::compile(loaded.model, {}, nullptr);
    for (const auto& diagnostic : compiled.diagnostics) MESSAGE(diagnostic.text());
    REQUIRE(compiled.configuration != nullptr);
    unsetenv("HEADGATE_TEST_KEY");
    auto published = std::make_shared<snapshot::Snapshot>();
    published->configuration = compiled.configuration;
    holder.publish(std::move(published));
    failures_seen = 0;
    tls = std::move(*Tls::make(
        holder, {[](const SSL*) { ++failures_seen; }, [](const SSL*) { return admits; }}));
  }

  static std::string yaml() {
    const auto distribution = [](const std::string& name, const std::string& more) {
      return "---\napiVersion: headgate/v1\nkind: Distribution\nmetadata: { name: " + name +
             " }\nspec:\n  aliases: [" + name +
             ".example.com]\n  origins: [{ id: o, domainName: o.internal }]\n" + more +
             "  defaultCacheBehavior: { targetOriginId: o, viewerProtocolPolicy: allow-all }\n";
    };
    return distribution("a", "  viewerCertificate: { certificateRef: a-cert }\n") +
           distribution("b", "  httpVersion: http1.1\n") +
           distribution("c",
                        "  viewerCertificate: { certificateRef: a-cert, minimumProtocolVersion: "
                        "TLSv1.3_2025 }\n") +
           "---\napiVersion: headgate/v1\nkind: Certificate\nmetadata: { name: a-cert }\nspec:\n"
           "  certificate: { file: a.pem }\n  privateKey: { valueFrom: { env: HEADGATE_TEST_KEY } "
           "}\n";
  }

  snapshot::SnapshotHolder holder;
  std::unique_ptr<Tls> tls;
};

/// One client; what came of its handshake.
struct Client {
  explicit Client(int version = TLS1_3_VERSION) : context(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    SSL_CTX_set_session_cache_mode(context.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context.get(), this);
    SSL_CTX_sess_set_new_cb(context.get(), [](SSL* connection, SSL_SESSION* made) {
      static_cast<Client*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)))->session.reset(made);
      return 1;
    });
  }

  /// Whether the handshake succeeded.
  bool connect(SSL_CTX* server_context, const std::string& name, SSL_SESSION* resume = nullptr) {
    client.reset(SSL_new(context.get()));
    server.reset(SSL_new(server_context));
    BIO* to_server = nullptr;
    BIO* to_client = nullptr;
    BIO_new_bio_pair(&to_server, 0, &to_client, 0);
    SSL_set_bio(client.get(), to_server, to_server);
    SSL_set_bio(server.get(), to_client, to_client);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    if (!name.empty()) SSL_set_tlsext_host_name(client.get(), name.c_str());
    static const unsigned char kAlpn[] = "\x02h2\x08http/1.1";
    SSL_set_alpn_protos(client.get(), kAlpn, sizeof kAlpn - 1);
    if (resume != nullptr) SSL_set_session(client.get(), resume);
    for (int round = 0; round < 20; ++round) {
      const int c = SSL_do_handshake(client.get());
      const int s = SSL_do_handshake(server.get());
      if (c == 1 && s == 1) break;
    }
    char octet = 0;  // TLS 1.3 sends its tickets after the handshake
    SSL_read(client.get(), &octet, 1);
    return SSL_is_init_finished(client.get()) == 1 && SSL_is_init_finished(server.get()) == 1;
  }

  std::string protocol() const {
    const unsigned char* text = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(client.get(), &text, &size);
    return std::string(reinterpret_cast<const char*>(text), size);
  }
  bool shown_certificate_is_for(const char* name) const {
    const Owned<X509> shown(SSL_get1_peer_certificate(client.get()));
    return shown != nullptr && X509_check_host(shown.get(), name, 0, 0, nullptr) == 1;
  }

  Owned<SSL_CTX> context;
  Owned<SSL> client;
  Owned<SSL> server;
  Owned<SSL_SESSION> session;
};

}  // namespace

TEST_CASE("a name gets its distribution's certificate; others, and none, the self-signed one") {
  const Edge edge;
  Client client;
  REQUIRE(client.connect(edge.tls->context(), "a.example.com"));
  CHECK(client.shown_certificate_is_for("a.example.com"));
  REQUIRE(client.connect(edge.tls->context(), "b.example.com"));
  CHECK(client.shown_certificate_is_for("localhost"));
  REQUIRE(client.connect(edge.tls->context(), "unknown.example.org"));
  CHECK(client.shown_certificate_is_for("localhost"));
  REQUIRE(client.connect(edge.tls->context(), ""));
  CHECK(client.shown_certificate_is_for("localhost"));
}

TEST_CASE("handshakes work before any configuration has been applied") {
  snapshot::SnapshotHolder holder;
  const auto tls = std::move(*Tls::make(holder, {}));
  Client client;
  CHECK(client.connect(tls->context(), "a.example.com"));
}

TEST_CASE("ALPN prefers h2, and leaves it out for a distribution of httpVersion http1.1") {
  const Edge edge;
  Client client;
  REQUIRE(client.connect(edge.tls->context(), "a.example.com"));
  CHECK(client.protocol() == "h2");
  REQUIRE(client.connect(edge.tls->context(), "b.example.com"));
  CHECK(client.protocol() == "http/1.1");
}

TEST_CASE("minimumProtocolVersion refuses older clients of that name only, and is counted") {
  const Edge edge;
  Client old(TLS1_2_VERSION);
  CHECK(old.connect(edge.tls->context(), "a.example.com"));
  CHECK(failures_seen == 0);
  CHECK_FALSE(old.connect(edge.tls->context(), "c.example.com"));
  CHECK(failures_seen > 0);
  Client recent(TLS1_3_VERSION);
  CHECK(recent.connect(edge.tls->context(), "c.example.com"));
}

TEST_CASE("a session resumes under its own name and under no other (h2o defect 11)") {
  const Edge edge;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    Client client(version);
    REQUIRE(client.connect(edge.tls->context(), "a.example.com"));
    REQUIRE(client.session != nullptr);
    const Owned<SSL_SESSION> of_a(SSL_SESSION_dup(client.session.get()));

    REQUIRE(client.connect(edge.tls->context(), "a.example.com", of_a.get()));
    CHECK(SSL_session_reused(client.client.get()) == 1);

    // A client that ignores that tickets belong to names: it sets the session all the same.
    const Owned<SSL_SESSION> moved(SSL_SESSION_dup(of_a.get()));
    SSL_SESSION_set1_hostname(moved.get(), "b.example.com");
    client.connect(edge.tls->context(), "b.example.com", moved.get());
    CHECK(SSL_session_reused(client.server.get()) == 0);
  }
}

TEST_CASE("a handshake that is not admitted ends before it has cost anything, and is counted") {
  const Edge edge;
  Client client;
  admits = false;
  CHECK_FALSE(client.connect(edge.tls->context(), "a.example.com"));
  CHECK(failures_seen > 0);
  admits = true;
  CHECK(client.connect(edge.tls->context(), "a.example.com"));
}
