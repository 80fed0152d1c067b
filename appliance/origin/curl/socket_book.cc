// SPDX-License-Identifier: MIT
#include "appliance/origin/curl/socket_book.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace headgate::origin {
namespace {

std::string key_of(const ConnectionEnds& ends) {
  return fmt::format("{} {} {} {}", ends.to, ends.to_port, ends.from, ends.from_port);
}

int port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

/// Of several sockets that raced for one connection, or whose number another has got since, only
/// the one is between these ports.
bool is_between(curl_socket_t socket, const ConnectionEnds& ends) {
  sockaddr_storage here{};
  sockaddr_storage there{};
  socklen_t here_size = sizeof here;
  socklen_t there_size = sizeof there;
  return getsockname(socket, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
         getpeername(socket, reinterpret_cast<sockaddr*>(&there), &there_size) == 0 &&
         port_of(here) == ends.from_port && port_of(there) == ends.to_port;
}

}  // namespace

curl_socket_t SocketBook::open(void* opened, curlsocktype, curl_sockaddr* address) {
  const curl_socket_t socket =
      ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (socket >= 0) static_cast<std::vector<curl_socket_t>*>(opened)->push_back(socket);
  return socket;
}

int SocketBook::close(void* self, curl_socket_t socket) {
  SocketBook& book = *static_cast<SocketBook*>(self);
  if (const auto found = book.ends_.find(socket); found != book.ends_.end()) {
    book.sockets_.erase(found->second);
    book.ends_.erase(found);
  }
  return ::close(socket);
}

void SocketBook::enter(const ConnectionEnds& ends, const std::vector<curl_socket_t>& opened) {
  for (const curl_socket_t socket : opened) {
    if (!is_between(socket, ends)) continue;
    const std::string key = key_of(ends);
    sockets_[key] = socket;
    ends_[socket] = key;
    return;
  }
}

bool SocketBook::has_input(const ConnectionEnds& ends) const {
  const auto found = sockets_.find(key_of(ends));
  if (found == sockets_.end()) return false;
  pollfd socket{found->second, POLLIN | POLLRDHUP, 0};
  return poll(&socket, 1, 0) == 1;
}

}  // namespace headgate::origin
