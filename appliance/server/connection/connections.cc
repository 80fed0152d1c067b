// SPDX-License-Identifier: MIT
#include "appliance/server/connection/connections.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

using guard::Limit;

/// Accepted at once before other events get their turn.
constexpr int kAcceptBurst = 16;

/// A trusted proxy sends its head at once, or it sends none.
constexpr Duration kProxyHeadTimeout = std::chrono::seconds(5);

}  // namespace

struct Connections::Listener {
  h2o_accept_ctx_t accept{};
  h2o_socket_t* socket = nullptr;
  Connections* owner = nullptr;
};

struct Connections::Connection {
  Connections* owner;
  h2o_socket_t* socket;
  bool internal;
  base::IpAddress client = {};  ///< whose limits it counts for; a trusted proxy is unspecified
  int requests = 0;             ///< under way
  std::optional<guard::waf::Fingerprint> fingerprint{};
};

/// A connection of a trusted proxy that has not yet shown how it begins.
struct Connections::ProxyHead {
  ProxyHead(Connections& connections, h2o_socket_t* from, Listener& through)
      : owner(connections),
        socket(from),
        listener(through),
        deadline(connections.loop_.timers(), [this] {
          // What came so far, if anything, is for the HTTP parser to judge.
          owner.admit_after_proxy_head(*this);
        }) {}
  Connections& owner;
  h2o_socket_t* socket;
  Listener& listener;
  base::Timer deadline;
};

Connections::Connections(Commons& commons, H2oLoop& loop, h2o_context_t& context,
                         observe::WorkerMetrics& metrics)
    : commons_(commons), loop_(loop), context_(context), metrics_(metrics) {
  internal_.ctx = &context_;
  internal_.hosts = commons_.h2o.hosts;
  spare_descriptor_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

Connections::~Connections() {
  for (const auto& listener : listeners_)
    if (listener->socket != nullptr) h2o_socket_close(listener->socket);
  if (spare_descriptor_ >= 0) close(spare_descriptor_);
}

void Connections::add_listener(int fd, bool tls) {
  auto listener = std::make_unique<Listener>();
  listener->owner = this;
  listener->accept.ctx = &context_;
  listener->accept.hosts = commons_.h2o.hosts;
  listener->accept.ssl_ctx = tls ? commons_.tls->context() : nullptr;
  listener->socket = h2o_evloop_socket_create(loop_.h2o(), fd, H2O_SOCKET_FLAG_DONT_READ);
  listener->socket->data = listener.get();
  h2o_socket_read_start(listener->socket, [](h2o_socket_t* socket, const char* error) {
    auto& ready = *static_cast<Listener*>(socket->data);
    if (error == nullptr) ready.owner->accept(ready);
  });
  listeners_.push_back(std::move(listener));
}

void Connections::accept(Listener& listener) {
  for (int i = 0; i < kAcceptBurst; ++i) {
    h2o_socket_t* socket = h2o_evloop_socket_accept(listener.socket);
    if (socket == nullptr) {
      if (errno == EMFILE || errno == ENFILE) shed(listener);
      return;
    }
    const auto full = commons_.connections.load(std::memory_order_relaxed) >=
                              commons_.options.limits.max_connections
                          ? Limit::MaxConnections
                          : commons_.admission.accept(loop_.now());
    if (full) {
      metrics_.limit_exceeded(*full);
      h2o_socket_close(socket);
    } else {
      take(listener, socket);
    }
  }
}

/// Without a descriptor nothing can be accepted, not even to be closed, and the listener would stay
/// ready: the loop would spin.
void Connections::shed(Listener& listener) {
  metrics_.limit_exceeded(Limit::MaxConnections);
  if (spare_descriptor_ >= 0) close(spare_descriptor_);
  const int fd =
      accept4(h2o_socket_get_fd(listener.socket), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) close(fd);
  spare_descriptor_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void Connections::take(Listener& listener, h2o_socket_t* socket) {
  sockaddr_storage storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  const auto peer = h2o_socket_getpeername(socket, address) != 0
                        ? base::IpAddress::from_sockaddr(address)
                        : base::IpAddress();
  const auto& proxies = commons_.options.trusted_proxies;
  const bool proxied = !proxies.empty() && proxies.trusts(peer);

  Connection& connection = track(socket, false);
  commons_.connections.fetch_add(1, std::memory_order_relaxed);
  metrics_.connection_opened(listener.accept.ssl_ctx != nullptr ? observe::Transport::Tls
                                                                : observe::Transport::Tcp);
  if (proxied) return read_proxy_head(socket, listener);
  if (!admit(connection, peer)) return h2o_socket_close(socket);
  h2o_accept(&listener.accept, socket);
}

/// From here on `connection` counts for `client`, unless that has too many already.
bool Connections::admit(Connection& connection, const base::IpAddress& client) {
  if (const auto refused = commons_.admission.enter(client, loop_.now())) {
    metrics_.limit_exceeded(*refused);
    return false;
  }
  connection.client = client;
  return true;
}

void Connections::add_internal(int fd) {
  if (draining_) {
    close(fd);
    return;
  }
  h2o_socket_t* socket =
      h2o_evloop_socket_create(loop_.h2o(), fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
  track(socket, true);
  h2o_accept(&internal_, socket);
}

/// Makes `socket` one of those that are open, until it is closed.
Connections::Connection& Connections::track(h2o_socket_t* socket, bool internal) {
  auto connection = std::make_unique<Connection>(Connection{this, socket, internal, {}, 0, {}});
  Connection& tracked = *connection;
  socket->on_close.data = connection.get();
  socket->on_close.cb = [](void* closed) {
    auto& gone = *static_cast<Connection*>(closed);
    gone.owner->on_closed(gone);
  };
  open_.emplace(&tracked, std::move(connection));
  return tracked;
}

void Connections::read_proxy_head(h2o_socket_t* socket, Listener& listener) {
  auto head = std::make_unique<ProxyHead>(*this, socket, listener);
  head->deadline.schedule_after(kProxyHeadTimeout);
  socket->data = head.get();
  proxy_heads_.emplace(socket, std::move(head));
  h2o_socket_read_start(socket, [](h2o_socket_t* from, const char* error) {
    auto& reading = *static_cast<ProxyHead*>(from->data);
    reading.owner.on_proxy_octets(reading, error != nullptr);
  });
}

void Connections::on_proxy_octets(ProxyHead& head, bool lost) {
  h2o_socket_t* socket = head.socket;
  if (lost) {
    h2o_socket_close(socket);
    return;
  }
  const auto parsed = guard::parse_proxy_header({socket->input->bytes, socket->input->size});
  switch (parsed.status) {
    case guard::ProxyHeader::Status::NeedMore:
      return;
    case guard::ProxyHeader::Status::Malformed:
      h2o_socket_close(socket);
      return;
    case guard::ProxyHeader::Status::Complete:
      h2o_buffer_consume(&socket->input, parsed.length);
      if (parsed.source) {
        auto& connection = *static_cast<Connection*>(socket->on_close.data);
        if (!admit(connection, *parsed.source)) return h2o_socket_close(socket);
        set_peer(socket, *parsed.source, parsed.source_port);
      }
      break;
    case guard::ProxyHeader::Status::Absent:
      break;
  }
  admit_after_proxy_head(head);
}

void Connections::admit_after_proxy_head(ProxyHead& head) {
  h2o_socket_t* socket = head.socket;
  Listener& listener = head.listener;
  h2o_socket_read_stop(socket);
  socket->data = nullptr;
  proxy_heads_.erase(socket);  // and `head` with it
  h2o_accept(&listener.accept, socket);
}

void Connections::set_peer(h2o_socket_t* socket, const base::IpAddress& address,
                           std::uint16_t port) {
  if (address.is_v4()) {
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(port);
    std::copy_n(address.octets().begin(), 4, reinterpret_cast<std::uint8_t*>(&peer.sin_addr));
    h2o_socket_setpeername(socket, reinterpret_cast<sockaddr*>(&peer), sizeof peer);
  } else if (address.is_v6()) {
    sockaddr_in6 peer{};
    peer.sin6_family = AF_INET6;
    peer.sin6_port = htons(port);
    std::copy_n(address.octets().begin(), 16, reinterpret_cast<std::uint8_t*>(&peer.sin6_addr));
    h2o_socket_setpeername(socket, reinterpret_cast<sockaddr*>(&peer), sizeof peer);
  }
}

void Connections::on_closed(Connection& connection) {
  if (!connection.internal) {
    commons_.connections.fetch_sub(1, std::memory_order_relaxed);
    commons_.admission.leave(connection.client);
    metrics_.connection_closed();
  }
  proxy_heads_.erase(connection.socket);
  open_.erase(&connection);
  if (draining_ && open_.empty() && on_idle_) std::exchange(on_idle_, {})();
}

Connections::Connection* Connections::find(h2o_conn_t* connection) {
  h2o_socket_t* socket = connection->callbacks->get_socket(connection);
  return socket == nullptr ? nullptr : static_cast<Connection*>(socket->on_close.data);
}

void Connections::request_began(h2o_conn_t* connection) {
  if (auto* known = find(connection)) ++known->requests;
}

void Connections::request_ended(h2o_conn_t* connection) {
  if (auto* known = find(connection)) --known->requests;
}

bool Connections::is_internal(h2o_conn_t* connection) {
  const auto* known = find(connection);
  return known != nullptr && known->internal;
}

Connections::Connection& Connections::of(const SSL* connection) {
  // libh2o's BIO knows its socket, and the socket its connection.
  const auto* socket = static_cast<const h2o_socket_t*>(BIO_get_data(SSL_get_rbio(connection)));
  return *static_cast<Connection*>(socket->on_close.data);
}

void Connections::handshake_failed(const SSL* connection) {
  of(connection).owner->metrics_.tls_handshake_failed();
}

bool Connections::admit_handshake(const SSL* connection) {
  const Connection& known = of(connection);
  Connections& owner = *known.owner;
  const auto refused = owner.commons_.admission.begin_handshake(known.client, owner.loop_.now());
  if (refused) owner.metrics_.limit_exceeded(*refused);
  return !refused;
}

void Connections::client_hello(const SSL* connection, const guard::waf::ClientHello& hello) {
  auto& fingerprint = of(connection).fingerprint;
  // A client that was told to try again (RFC 8446 section 4.1.4) is known by its first try.
  if (!fingerprint) fingerprint = guard::waf::fingerprint(hello);
}

const guard::waf::Fingerprint* Connections::fingerprint(h2o_conn_t* connection) {
  const auto* known = find(connection);
  return known == nullptr || !known->fingerprint ? nullptr : &*known->fingerprint;
}

void Connections::drain(Idle idle, base::UniqueFunction<void()> on_idle) {
  draining_ = true;
  on_idle_ = std::move(on_idle);
  for (const auto& listener : listeners_) {
    accept(*listener);  // who is in the queue already is served
    h2o_socket_close(std::exchange(listener->socket, nullptr));
  }
  h2o_context_request_shutdown(&context_);
  // An idle HTTP/1 connection would be waited for until its timeout: it learns of the end as if its
  // client had left. HTTP/2 connections are told by GOAWAY, and end by themselves.
  for (const auto& [connection, owner] : open_)
    if (idle == Idle::AtOnce && connection->requests == 0)
      shutdown(h2o_socket_get_fd(connection->socket), SHUT_RD);
  if (open_.empty() && on_idle_) std::exchange(on_idle_, {})();
}

void Connections::abort_all() {
  for (const auto& [connection, owner] : open_)
    shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

}  // namespace headgate::server
