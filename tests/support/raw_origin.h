// SPDX-License-Identifier: MIT
// An origin that does to its connections exactly what a test's script says, in plain TCP or TLS, on
// the loopback.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "appliance/base/mutex.h"
#include "tests/support/certificate.h"

namespace headgate::test {

/// One accepted connection, as its script sees it; blocking.
/// Threads: the script's; `shut` from any.
class Connection {
 public:
  Connection(int socket, SSL_CTX* tls, int number);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int number() const { return number_; }
  /// True when there is none to make.
  bool shake_hands();
  /// What the client named in SNI and chose by ALPN.
  std::string sni() const { return sni_; }
  std::string alpn() const;

  /// Up to and with the empty line; empty when the client went away first.
  std::string read_head();
  /// Fewer only when the client went away.
  std::string read_octets(std::size_t count);
  /// Everything until the client closes.
  std::string read_to_end();
  /// False when the client is gone.
  bool send(std::string_view octets);
  /// The same over plain TCP, and calls `held_up` each time the client has taken nothing for half a
  /// second.
  bool send_or_note(std::string_view octets, const std::function<void()>& held_up);
  /// A clean end of what this side sends (close_notify included).
  void finish();
  /// RST instead of FIN.
  void reset();
  /// Wakes whoever blocks in this connection.
  void shut();

 private:
  std::size_t receive(char* out, std::size_t room);

  int socket_;
  int number_;
  SSL* ssl_ = nullptr;
  std::string sni_;
  std::string buffer_;
};

/// Accepts until destroyed; each connection gets a thread that runs the script and then closes it.
/// Threads: the script runs on several.
class RawOrigin {
 public:
  using Script = std::function<void(Connection&)>;

  /// How it speaks TLS; without a certificate it speaks plain TCP.
  struct Options {
    const Certificate* certificate = nullptr;
    std::vector<std::string> alpn;
    int min_tls = 0;  ///< TLS1_2_VERSION …; 0: OpenSSL's own bounds
    int max_tls = 0;
    bool ipv6 = false;
  };

  explicit RawOrigin(Script script);
  RawOrigin(Options options, Script script);
  ~RawOrigin();
  RawOrigin(const RawOrigin&) = delete;
  RawOrigin& operator=(const RawOrigin&) = delete;

  std::uint16_t port() const { return port_; }
  int accepted() const { return accepted_; }

 private:
  void listen_on_loopback(bool ipv6);
  void make_tls(const Options& options);
  void accept_all();

  Script script_;
  SSL_CTX* tls_ = nullptr;
  std::string alpn_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::atomic<bool> stopping_{false};
  std::thread acceptor_;
  base::Mutex mutex_;
  std::vector<std::shared_ptr<Connection>> connections_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ GUARDED_BY(mutex_);
};

}  // namespace headgate::test
