// SPDX-License-Identifier: MIT
// A worker's listeners and the connections that came through them: accepted, counted, told when the
// edge goes.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "appliance/base/timer_heap.h"
#include "appliance/base/unique_function.h"
#include "appliance/guard/client_address.h"
#include "appliance/guard/waf/fingerprint/client_hello.h"
#include "appliance/observe/metrics.h"
#include "appliance/server/h2o.h"
#include "appliance/server/h2o_loop.h"

namespace headgate::server {

struct Commons;

/// How connections end that have no request when a drain begins.
enum class Idle {
  AtOnce,      ///< as if their clients had left
  WithTheNext  ///< request, whose answer says so, or by their timeout: no request meets a closed
               ///< end
};

/// Connections of trusted proxies may begin with a PROXY head (versions 1 and 2), whose address
/// then is the peer's. Threads: the worker's.
class Connections {
 public:
  Connections(Commons& commons, H2oLoop& loop, h2o_context_t& context,
              observe::WorkerMetrics& metrics);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  void add_listener(int fd, bool tls);
  /// Serves what the edge itself asks on `fd`, a connected stream socket, which becomes this one's.
  /// Such connections count neither in the metrics nor against the limit.
  void add_internal(int fd);
  /// No more connections; those without a request end as `idle` says. `on_idle` once none is left.
  void drain(Idle idle, base::UniqueFunction<void()> on_idle);
  /// Breaks those that are left.
  void abort_all();
  std::size_t count() const { return open_.size(); }

  /// A request on `connection` begins or has ended: tells busy connections from idle ones.
  static void request_began(h2o_conn_t* connection);
  static void request_ended(h2o_conn_t* connection);
  /// Whether the edge itself is the client.
  static bool is_internal(h2o_conn_t* connection);
  /// Of its TLS handshake; null without one.
  static const guard::waf::Fingerprint* fingerprint(h2o_conn_t* connection);
  /// For Tls: keeps it with the connection.
  static void client_hello(const SSL* connection, const guard::waf::ClientHello& hello);
  /// For Tls: counts it with the worker that the connection belongs to.
  static void handshake_failed(const SSL* connection);
  /// For Tls: whether the rates of handshakes have room for one more of this client.
  static bool admit_handshake(const SSL* connection);

 private:
  struct Listener;
  struct Connection;
  struct ProxyHead;

  void accept(Listener& listener);
  void take(Listener& listener, h2o_socket_t* socket);
  bool admit(Connection& connection, const base::IpAddress& client);
  void shed(Listener& listener);
  Connection& track(h2o_socket_t* socket, bool internal);
  void read_proxy_head(h2o_socket_t* socket, Listener& listener);
  void on_proxy_octets(ProxyHead& head, bool lost);
  void admit_after_proxy_head(ProxyHead& head);
  static void set_peer(h2o_socket_t* socket, const base::IpAddress& address, std::uint16_t port);
  void on_closed(Connection& connection);
  static Connection* find(h2o_conn_t* connection);
  static Connection& of(const SSL* connection);

  Commons& commons_;
  H2oLoop& loop_;
  h2o_context_t& context_;
  observe::WorkerMetrics& metrics_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  h2o_accept_ctx_t internal_{};  ///< of connections from the edge itself
  std::unordered_map<Connection*, std::unique_ptr<Connection>> open_;
  std::unordered_map<h2o_socket_t*, std::unique_ptr<ProxyHead>> proxy_heads_;
  int spare_descriptor_;  ///< given up for a moment when the process has no other
  base::UniqueFunction<void()> on_idle_;
  bool draining_ = false;
};

}  // namespace headgate::server
