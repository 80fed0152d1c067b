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
#include <utility>

namespace headgate::server {
namespace {

constexpr int kBacklog = 4096;
/// How often a port that is free in TCP and UDP is looked for.
constexpr int kPortAttempts = 16;

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

bool is_any_port(const SocketAddress& address) {
  return address.storage.ss_family == AF_INET
             ? reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port == 0
             : reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port == 0;
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

/// `type`: SOCK_STREAM or SOCK_DGRAM.
Result<int> bind_one(SocketAddress& address, const std::string& text, int type, bool shared) {
  const int fd = socket(address.storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(Blame::Self, "{}: {}", text, std::strerror(errno));
  const int on = 1;
  // For datagrams it would let two processes have one port.
  if (type == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(fd, address.raw(), address.size) != 0) {
    const int error = errno;
    close(fd);
    const char* hint = error == EADDRINUSE ? "; another process listens there"
                       : error == EACCES   ? "; ports below 1024 need CAP_NET_BIND_SERVICE"
                                           : "";
    return fail(Blame::Self, "cannot listen on {}{}: {}{}", type == SOCK_DGRAM ? "UDP " : "", text,
                std::strerror(error), hint);
  }
  return fd;
}

/// With SO_REUSEPORT a second appliance of the same user would be let in and take half of the
/// connections: without it, the kernel tells. Afterwards `address` has the real port.
Status probe(SocketAddress& address, const std::string& text, int type) {
  HG_TRY(const int fd, bind_one(address, text, type, false), "listener");
  getsockname(fd, address.raw(), &address.size);
  close(fd);
  return {};
}

void close_all(std::vector<int>& descriptors) {
  for (const int descriptor : descriptors) close(descriptor);
  descriptors.clear();
}

Status bind_all(SocketAddress& address, const std::string& text, int type, unsigned count,
                std::vector<int>& out) {
  for (unsigned i = 0; i < count; ++i) {
    HG_TRY(const int fd, bind_one(address, text, type, true), "listener");
    out.push_back(fd);
    if (type == SOCK_STREAM && listen(fd, kBacklog) != 0)
      return fail(Blame::Self, "cannot listen on {}: {}", text, std::strerror(errno));
  }
  return {};
}

}  // namespace

Result<Bound> listen_on(const std::string& text, unsigned count, Datagrams datagrams) {
  HG_TRY(const SocketAddress wanted, parse(text), "listener");
  SocketAddress address = wanted;
  HG_CHECK(probe(address, text, SOCK_STREAM), "listener");
  if (datagrams == Datagrams::Too) {
    Status free = probe(address, text, SOCK_DGRAM);
    // A port that the system has chosen for TCP may be somebody's in UDP: then another one.
    for (int i = 0; i < kPortAttempts && !free && is_any_port(wanted); ++i) {
      address = wanted;
      HG_CHECK(probe(address, text, SOCK_STREAM), "listener");
      free = probe(address, text, SOCK_DGRAM);
    }
    HG_CHECK(std::move(free), "listener");
  }
  Bound bound;
  bound.address = text_of(address, bound.port);
  Status done = bind_all(address, bound.address, SOCK_STREAM, count, bound.descriptors);
  if (done && datagrams == Datagrams::Too)
    done = bind_all(address, bound.address, SOCK_DGRAM, count, bound.datagrams);
  if (!done) {
    close_all(bound.descriptors);
    close_all(bound.datagrams);
    return tl::unexpected<Error>(std::move(done.error()));
  }
  return bound;
}

Result<Bound> adopt(const Listening& listening) {
  Bound bound;
  SocketAddress address;
  address.size = sizeof address.storage;
  if (listening.descriptors.empty() ||
      getsockname(listening.descriptors.front(), address.raw(), &address.size) != 0)
    return fail(Blame::Self, "{}: no socket of the process before: {}", listening.asked,
                std::strerror(errno));
  bound.address = text_of(address, bound.port);
  bound.descriptors = listening.descriptors;
  bound.datagrams = listening.datagrams;
  return bound;
}

}  // namespace headgate::server
