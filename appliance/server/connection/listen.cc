// SPDX-License-Identifier: MIT
#include "appliance/server/connection/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace headgate::server {
namespace {

constexpr int kBacklog = 4096;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketAddress> parse(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return fail(Blame::Config, "{}: not ADDRESS:PORT", text);
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end)
    return fail(Blame::Config, "{}: the port is not a number up to 65535", text);
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (host.empty()) host = "::";
  if (host == "localhost") host = "127.0.0.1";

  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
  } else {
    return fail(Blame::Config, "{}: {} is not an IP address", text, host);
  }
  return address;
}

std::string text_of(SocketAddress& address, std::uint16_t& port) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.storage.ss_family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    port = ntohs(v4->sin_port);
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    return fmt::format("{}:{}", host, port);
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  port = ntohs(v6->sin6_port);
  inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
  return fmt::format("[{}]:{}", host, port);
}

Result<int> bind_one(SocketAddress& address, const std::string& text, bool shared) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(Blame::Self, "{}: {}", text, std::strerror(errno));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(fd, address.raw(), address.size) != 0) {
    const int error = errno;
    close(fd);
    const char* hint = error == EADDRINUSE ? "; another process listens there"
                       : error == EACCES   ? "; ports below 1024 need CAP_NET_BIND_SERVICE"
                                           : "";
    return fail(Blame::Self, "cannot listen on {}: {}{}", text, std::strerror(error), hint);
  }
  return fd;
}

}  // namespace

Result<Bound> listen_on(const std::string& text, unsigned count) {
  HG_TRY(SocketAddress address, parse(text), "listener");
  // With SO_REUSEPORT a second appliance of the same user would be let in and take half of the
  // connections: without it, the kernel tells.
  {
    HG_TRY(const int probe, bind_one(address, text, false), "listener");
    getsockname(probe, address.raw(), &address.size);  // from here on with the real port
    close(probe);
  }
  Bound bound;
  bound.address = text_of(address, bound.port);
  for (unsigned i = 0; i < count; ++i) {
    auto fd = bind_one(address, bound.address, true);
    if (fd && listen(*fd, kBacklog) != 0) {
      close(*fd);
      fd = fail(Blame::Self, "cannot listen on {}: {}", bound.address, std::strerror(errno));
    }
    if (!fd) {
      for (const int other : bound.descriptors) close(other);
      return tl::unexpected<Error>(std::move(fd.error()));
    }
    bound.descriptors.push_back(*fd);
  }
  return bound;
}

}  // namespace headgate::server
