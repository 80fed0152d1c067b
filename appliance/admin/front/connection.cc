// SPDX-License-Identifier: MIT
// Non-blocking input and output of a connection.
#include "appliance/admin/front/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace headgate::admin {

Connection::~Connection() { ::close(fd); }

bool Connection::receive(std::size_t limit) {
  std::array<char, 16 * 1024> chunk;
  while (in.size() < limit) {
    const auto wanted = std::min(chunk.size(), limit - in.size());
    const ssize_t count = ::recv(fd, chunk.data(), wanted, 0);
    if (count > 0) {
      in.append(chunk.data(), static_cast<std::size_t>(count));
      if (static_cast<std::size_t>(count) < wanted) return true;
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
  return true;
}

bool Connection::discard() {
  std::array<char, 16 * 1024> chunk;
  const ssize_t count = ::recv(fd, chunk.data(), chunk.size(), 0);
  return count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK));
}

void Connection::abandon() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

bool Connection::send(bool& progressed) {
  while (!all_sent()) {
    const ssize_t count = ::send(fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
      progressed = progressed || count > 0;
      continue;
    }
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK;
  }
  out.clear();
  out.shrink_to_fit();
  sent = 0;
  return true;
}

}  // namespace headgate::admin
