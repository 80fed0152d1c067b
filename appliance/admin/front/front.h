// SPDX-License-Identifier: MIT
// The connections of an admin listener: one thread that never waits for any of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "appliance/admin/endpoints.h"
#include "appliance/admin/front/listener.h"
#include "appliance/base/time.h"

namespace headgate::admin {

/// How much strangers may take; tests make it less.
struct FrontLimits {
  std::size_t connections =
      64;                     ///< beyond: who has been receiving or sending for longest makes room
  std::size_t followers = 8;  ///< of /events?follow=1; beyond: 503
  std::size_t answering =
      32;  ///< requests, other than probes, that wait for an answer; beyond: 503
  std::size_t body = 64 * 1024;                      ///< octets
  std::size_t large_body = 8 * 1024 * 1024;          ///< webhooks, purges, pieces of upgrades
  std::size_t bodies = 32 * 1024 * 1024;             ///< of all connections together; beyond: 503
  Duration receive = std::chrono::seconds(10);       ///< for the whole request
  Duration send = std::chrono::seconds(10);          ///< without progress
  Duration follow = std::chrono::milliseconds(250);  ///< between looks for new events
};

/// Serves until destroyed, on threads of its own: one for all connections, one that answers probes
/// (/healthz, /readyz), two for the rest.
class Front {
 public:
  /// Errors: Blame::Self when the kernel gives no descriptors.
  static Result<std::unique_ptr<Front>> start(std::unique_ptr<Listener> listener, Options options,
                                              Appliance appliance, FrontLimits limits);
  virtual ~Front() = default;
  virtual const std::string& address() const = 0;
  /// See Server::release.
  virtual Result<int> release() = 0;
};

}  // namespace headgate::admin
