// SPDX-License-Identifier: MIT
// A port of the loopback where connecting neither succeeds nor fails: its queue is full and nobody
// accepts.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "appliance/base/assert.h"

namespace headgate::test {

/// Threads: one.
class FullBacklog {
 public:
  FullBacklog() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    HG_ASSERT(bind(listener_, reinterpret_cast<sockaddr*>(&address_), size) == 0);
    HG_ASSERT(listen(listener_, 0) == 0);
    HG_ASSERT(getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size) == 0);
    while (connects()) {
    }
  }
  ~FullBacklog() {
    for (const int client : clients_) close(client);
    close(listener_);
  }
  FullBacklog(const FullBacklog&) = delete;
  FullBacklog& operator=(const FullBacklog&) = delete;

  std::uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  /// Whether there was room for one more; on the loopback that shows at once.
  bool connects() {
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    clients_.push_back(client);
    connect(client, reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
    pollfd wait{client, POLLOUT, 0};
    return poll(&wait, 1, 50) == 1;
  }

  int listener_;
  sockaddr_in address_{};
  std::vector<int> clients_;
};

}  // namespace headgate::test
