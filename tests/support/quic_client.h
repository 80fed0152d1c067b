// SPDX-License-Identifier: MIT
// A QUIC client that does on its streams exactly what it is told, right or wrong: for tests of
// HTTP/3's rules (h3_raw) and for fuzzing behind the handshake (h3_fuzz).
#pragma once

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace headgate::test {

/// Commands are lines:
/// ```
///   open bidi|uni          opened ID
///   send ID HEX|- [fin]    (octets, or none)
///   reset ID CODE          RESET_STREAM
///   stop ID CODE           STOP_SENDING
///   read ID yes|no         whether the stream's window is opened again as octets come
///   close CODE             CONNECTION_CLOSE of the application
///   rekey                  a key update
///   sync                   synced, when all that was sent has been acknowledged
/// ```
/// What it tells are lines, too, as it comes: `ready`, `data ID HEX`, `fin ID`, `reset ID CODE`,
/// `shut ID` (the edge takes no more), `closed app|transport CODE`, `ended REASON`.
/// What cannot happen ends the process. Threads: one.
class QuicClient {
 public:
  using Tell = std::function<void(const std::string& line)>;

  /// Begins to connect. `name` is what the client asks for (SNI); empty: nothing.
  QuicClient(const char* address, std::uint16_t port, const char* name, Tell tell);
  ~QuicClient();
  QuicClient(const QuicClient&) = delete;
  QuicClient& operator=(const QuicClient&) = delete;

  void command(const std::string& line);
  /// Sends what there is to send; waits until the edge sends something, a timer of the connection
  /// wants to go off, or `other` (a descriptor; -1: none) can be read; and does what is to be done
  /// then. Whether `other` can be read.
  bool turn(int other = -1);
  bool ended() const { return ended_; }

 private:
  friend struct QuicClientCallbacks;

  /// What is to be sent on a stream, and what was but is not acknowledged.
  struct Outgoing {
    /// Octets stay where they are until the end: ngtcp2 points at them until they are acknowledged.
    struct Piece {
      std::shared_ptr<std::string> octets;
      std::size_t taken = 0;
    };
    std::deque<Piece> waiting;
    std::vector<std::shared_ptr<std::string>> sent;
    bool fin = false;
    bool fin_sent = false;
    bool shut = false;
  };

  void make_connection();
  void make_tls(const char* name);
  void close(std::uint64_t code);
  void receive();
  void write();
  bool write_stream(std::int64_t id, Outgoing& out);
  void send(std::size_t size);
  void end(const std::string& line);
  ngtcp2_path path();

  Tell tell_;
  int socket_;
  sockaddr_in local_{};
  sockaddr_in remote_{};
  ngtcp2_conn* native_ = nullptr;
  gnutls_session_t tls_ = nullptr;
  gnutls_certificate_credentials_t credentials_ = nullptr;
  ngtcp2_crypto_conn_ref reference_{};
  std::array<std::uint8_t, 1452> packet_;
  std::map<std::int64_t, Outgoing> streams_;
  std::set<std::int64_t> unread_;
  bool ended_ = false;
  bool syncing_ = false;
};

}  // namespace headgate::test
