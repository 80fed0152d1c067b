// SPDX-License-Identifier: MIT
// Listening sockets: one a worker for every address, shared out by the kernel (SO_REUSEPORT).
#pragma once

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

}  // namespace headgate::server
