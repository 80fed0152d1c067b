// SPDX-License-Identifier: MIT
// A small HTTP/1 and HTTP/2 server for the tests of libh2o's patch queue; it builds against the
// library without patches, too. usage: h2o_test_server [FIELD=NUMBER…]    FIELD: see settings.cc;
// or send_buffer (SO_SNDBUF), receive_buffer (SO_RCVBUF), listening=1 (accept connections during a
// shutdown). Prints its ports; SIGTERM shuts it down gracefully.
#include <arpa/inet.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/h2o/server/settings.h"
#include "tests/h2o/server/state.h"

namespace headgate::h2o_test {
namespace {

enum class Port { kHttp1, kHttps, kHttp2, kControl };

struct Listener {
  Port port;
  State* state;
  h2o_accept_ctx_t accept;
  h2o_socket_t* socket;
  int send_buffer;
  int receive_buffer;
};

void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int on_request(h2o_handler_t* self, h2o_req_t* req) {
  State& state = *reinterpret_cast<Handler*>(self)->state;
  if (view(req->authority) == "control") {
    control(state, req);
    return 0;
  }
  state.requests += 1;
  auto** owner =
      static_cast<State**>(h2o_mem_alloc_shared(&req->pool, sizeof(State*), [](void* memory) {
        (*static_cast<State**>(memory))->disposed += 1;
      }));
  *owner = &state;
  return respond(state, req) || receive(state, req) ? 0 : -1;
}

void on_accept(h2o_socket_t* socket, const char* error) {
  if (error != nullptr) return;
  auto* listener = static_cast<Listener*>(socket->data);
  for (int i = 0; i < 16; ++i) {
    h2o_socket_t* accepted = h2o_evloop_socket_accept(socket);
    if (accepted == nullptr) return;
    if (listener->port != Port::kControl) {
      listener->state->connections += 1;
      accepted->on_close.cb = [](void* data) { static_cast<State*>(data)->connections -= 1; };
      accepted->on_close.data = listener->state;
    }
    int fd = h2o_socket_get_fd(accepted);
    if (listener->send_buffer != 0)
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &listener->send_buffer, sizeof(int));
    if (listener->port == Port::kHttp2) {
      timeval now;
      gettimeofday(&now, nullptr);
      h2o_http2_accept(&listener->accept, accepted, now);
    } else {
      h2o_accept(&listener->accept, accepted);
    }
  }
}

int listen_on_any_port(Listener& listener) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener.receive_buffer != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &listener.receive_buffer, sizeof(int));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, generic, size) != 0 || ::listen(fd, 1024) != 0 ||
      ::getsockname(fd, generic, &size) != 0)
    fail("listen");
  listener.socket =
      h2o_evloop_socket_create(listener.accept.ctx->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
  listener.socket->data = &listener;
  h2o_socket_read_start(listener.socket, on_accept);
  return ntohs(address.sin_port);
}

/// Counts what is encrypted: the length in the header of each record written.
void on_tls_message(int is_write, int, int type, const void* data, size_t size, SSL*, void* state) {
  if (!is_write || type != SSL3_RT_HEADER || size < 5) return;
  const auto* header = static_cast<const unsigned char*>(data);
  static_cast<State*>(state)->tls_bytes += header[3] * 256 + header[4];
}

/// TLS with a certificate made on the spot.
SSL_CTX* make_tls(State* state) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* host = reinterpret_cast<const unsigned char*>("localhost");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX* tls = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(tls, certificate);
  SSL_CTX_use_PrivateKey(tls, key);
  SSL_CTX_set_msg_callback(tls, on_tls_message);
  SSL_CTX_set_msg_callback_arg(tls, state);
  h2o_ssl_register_alpn_protocols(tls, h2o_http2_alpn_protocols);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return tls;
}

volatile std::sig_atomic_t shutdown_requested = 0;

int run(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { shutdown_requested = 1; });

  h2o_globalconf_t conf;
  h2o_config_init(&conf);
  conf.http1.upgrade_to_http2 = 0;
  int send_buffer = 0, receive_buffer = 0;
  bool keep_listening = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view setting = argv[i];
    size_t equals = setting.find('=');
    std::string_view name = setting.substr(0, equals);
    long number = equals == setting.npos ? 0 : std::atol(argv[i] + equals + 1);
    if (name == "send_buffer") {
      send_buffer = static_cast<int>(number);
    } else if (name == "receive_buffer") {
      receive_buffer = static_cast<int>(number);
    } else if (name == "listening") {
      keep_listening = number != 0;
    } else if (equals == setting.npos || !set_field(conf, name, number)) {
      std::fprintf(stderr, "h2o_test_server: unknown setting %s\n", argv[i]);
      return 1;
    }
  }

  State state;
  state.limits = &count_limits(conf);
  h2o_hostconf_t* host =
      h2o_config_register_host(&conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
  auto* handler = reinterpret_cast<Handler*>(
      h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(Handler)));
  handler->super.on_req = on_request;
  handler->state = &state;
  h2o_context_t context;
  h2o_context_init(&context, h2o_evloop_create(), &conf);
  state.context = &context;

  SSL_CTX* tls = make_tls(&state);
  std::array<Listener, 4> listeners{};
  std::array<int, 4> ports{};
  for (size_t i = 0; i != listeners.size(); ++i) {
    Listener& listener = listeners[i];
    listener.port = static_cast<Port>(i);
    listener.state = &state;
    listener.accept.ctx = &context;
    listener.accept.hosts = conf.hosts;
    listener.accept.ssl_ctx = listener.port == Port::kHttps ? tls : nullptr;
    bool control = listener.port == Port::kControl;
    listener.send_buffer = control ? 0 : send_buffer;
    listener.receive_buffer = control ? 0 : receive_buffer;
    ports[i] = listen_on_any_port(listener);
  }
  std::printf("http1=%d https=%d http2=%d control=%d\n", ports[0], ports[1], ports[2], ports[3]);
  std::fflush(stdout);

  while (!state.shutting_down || state.connections != 0 || keep_listening) {
    h2o_evloop_run(context.loop, state.shutting_down ? 20 : 1000);
    if (shutdown_requested == 0 || state.shutting_down) continue;
    state.shutting_down = true;
    for (Listener& listener : listeners)
      if (!keep_listening && listener.port != Port::kControl) h2o_socket_close(listener.socket);
    h2o_context_request_shutdown(&context);
  }
  return 0;
}

}  // namespace
}  // namespace headgate::h2o_test

int main(int argc, char** argv) { return headgate::h2o_test::run(argc, argv); }
