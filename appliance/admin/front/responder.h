// SPDX-License-Identifier: MIT
// One request in, one response out, as octets: cpp-httplib without its sockets and threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "appliance/admin/endpoints.h"

namespace headgate::admin {

/// cpp-httplib's own listener gives a thread to each connection, and so two clients that dribble
/// starve two threads. Here it only reads and writes messages that are whole. Threads: one each.
class Responder {
 public:
  /// `endpoints` outlives it.
  static std::unique_ptr<Responder> create(const Endpoints& endpoints);
  virtual ~Responder() = default;

  struct Response {
    std::string octets;
    std::optional<std::uint64_t>
        follow_after;  ///< then events follow, from this sequence number on
  };
  /// `head`: as RequestHead::request; `body`: all of it.
  virtual Response respond(const std::string& head, std::string body) = 0;
  /// For requests that never get as far as an endpoint.
  static std::string refusal(int status, std::string_view problem);
  const Endpoints& endpoints() const { return endpoints_; }

 protected:
  explicit Responder(const Endpoints& endpoints) : endpoints_(endpoints) {}
  const Endpoints& endpoints_;
};

}  // namespace headgate::admin
