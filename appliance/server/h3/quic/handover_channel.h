// SPDX-License-Identifier: MIT
// Datagrams between the two processes of a hand-over: the one that reads the sockets from now on
// passes on what belongs to connections of the other.
#pragma once

#include <functional>
#include <utility>

#include "appliance/server/h3/quic/udp_socket.h"
#include "schema/base/result.h"

namespace headgate::server {

/// One end of a pair. Threads: one.
class HandoverChannel {
 public:
  /// Two connected ends. Errors: Blame::Self, when there are no descriptors left.
  static Result<std::pair<int, int>> make_pair();

  /// Takes over one of them.
  explicit HandoverChannel(int descriptor);
  ~HandoverChannel();
  HandoverChannel(const HandoverChannel&) = delete;
  HandoverChannel& operator=(const HandoverChannel&) = delete;

  int descriptor() const { return descriptor_; }
  /// What finds no room is lost, as in a network.
  void send(const Datagram& datagram);
  /// Hands over what has come, a few hundred datagrams at most. False: the other process has gone.
  bool receive(const std::function<void(const Datagram&)>& take);

 private:
  const int descriptor_;
};

}  // namespace headgate::server
