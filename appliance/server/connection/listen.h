// SPDX-License-Identifier: MIT
// Listening sockets: one a worker for every address, shared out by the kernel (SO_REUSEPORT).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/base/result.h"

namespace headgate::server {

/// The descriptors for one address.
struct Bound {
  std::string address;  ///< with the real port: "127.0.0.1:8080", "[::1]:8080"
  std::uint16_t port = 0;
  std::vector<int> descriptors;
  std::vector<int> datagrams;  ///< for QUIC: bound to the same port of UDP
};

/// What `listen_on` binds beside TCP.
enum class Datagrams { No, Too };

/// Binds and listens `count` times on `address` ("ADDR:PORT", "[V6]:PORT", ":PORT" for every
/// address; port 0 takes a free one). Errors: Blame::Config when the address is none; Blame::Self
/// when it cannot be bound, in use by another process included.
Result<Bound> listen_on(const std::string& address, unsigned count, Datagrams datagrams);

/// One address as a process hands it to the one that takes its place: sockets that both have.
struct Listening {
  std::string asked;  ///< as the settings name it: "127.0.0.1:0"
  bool tls = false;
  std::vector<int> descriptors;  ///< by worker
  std::vector<int> datagrams;    ///< the same; empty without TLS
  std::vector<int> channels;     ///< the same: ends of a HandoverChannel
};

/// What a predecessor has bound and listens on. Errors: Blame::Self, when they are no such sockets.
Result<Bound> adopt(const Listening& listening);

}  // namespace headgate::server
