// SPDX-License-Identifier: MIT
// Binds admin sockets.
#include "appliance/admin/front/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "appliance/base/ip_address.h"

namespace headgate::admin {
namespace {

constexpr int kBacklog = 128;
constexpr std::string_view kUnixPrefix = "unix:";

struct TcpAddress {
  base::IpAddress ip;
  std::uint16_t port = 0;
};

std::optional<TcpAddress> parse_tcp(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const auto port_text = text.substr(colon + 1);
  TcpAddress result;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), result.port);
  if (port_text.empty() || error != std::errc{} || end != port_text.data() + port_text.size())
    return std::nullopt;
  if (host == "localhost") host = "127.0.0.1";
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = base::IpAddress::parse(host);
  if (!ip || bracketed != (host.find(':') != std::string_view::npos)) return std::nullopt;
  result.ip = *ip;
  return result;
}

bool is_loopback(const base::IpAddress& ip) {
  static const auto kV4 = base::IpNetwork::parse("127.0.0.0/8");
  static const auto kV6 = base::IpNetwork::parse("::1");
  return kV4->contains(ip) || kV6->contains(ip);
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_sockaddr(const TcpAddress& address) {
  SocketAddress result;
  if (address.ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, address.ip.octets().data(), 4);
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.length = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, address.ip.octets().data(), 16);
    std::memcpy(&result.storage, &v6, sizeof v6);
    result.length = sizeof v6;
  }
  return result;
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 0;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    return ntohs(v6.sin6_port);
  }
  sockaddr_in v4;
  std::memcpy(&v4, &storage, sizeof v4);
  return ntohs(v4.sin_port);
}

/// Whether a process answers on the unix socket at `address`.
bool answers(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return true;
  const bool refused =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED;
  ::close(fd);
  return !refused;
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(const std::string& address) {
  if (address.rfind(kUnixPrefix, 0) == 0) return open_unix(address.substr(kUnixPrefix.size()));
  return open_tcp(address);
}

Result<std::unique_ptr<Listener>> Listener::open_tcp(const std::string& address) {
  const auto parsed = parse_tcp(address);
  if (!parsed) {
    return fail(Blame::Config,
                "{} is not an address to listen on: give ADDR:PORT, [ADDR]:PORT or unix:PATH",
                address);
  }
  std::unique_ptr<Listener> listener(new Listener);
  auto where = to_sockaddr(*parsed);
  const int fd = ::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(Blame::Self, "listening on {}: {}", address, std::strerror(errno));
  listener->fd_ = fd;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (parsed->ip.is_v6()) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd, where.get(), where.length) != 0 || ::listen(fd, kBacklog) != 0) {
    return fail(Blame::Config, "listening on {}: {}", address, std::strerror(errno));
  }
  const auto host = parsed->ip.is_v6() ? "[" + parsed->ip.text() + "]" : parsed->ip.text();
  listener->address_ = fmt::format("{}:{}", host, bound_port(fd));
  listener->local_ = is_loopback(parsed->ip);
  return listener;
}

Result<std::unique_ptr<Listener>> Listener::open_unix(const std::string& path) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof where.sun_path) {
    return fail(Blame::Config, "unix:{}: the path of a socket has 1 to {} octets", path,
                sizeof where.sun_path - 1);
  }
  std::memcpy(where.sun_path, path.data(), path.size());

  std::unique_ptr<Listener> listener(new Listener);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(Blame::Self, "listening on unix:{}: {}", path, std::strerror(errno));
  listener->fd_ = fd;
  ::fchmod(fd,
           0600);  // before bind, which makes the file with this mode: it is never open to others

  const auto bind_it = [&] {
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
  };
  bool bound = bind_it();
  if (!bound && errno == EADDRINUSE) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode)) {
      return fail(Blame::Config,
                  "unix:{}: there is a file that is not a socket; remove it or choose another path",
                  path);
    }
    if (answers(where)) {
      return fail(Blame::Config,
                  "unix:{}: another process answers there; stop it or choose another path", path);
    }
    ::unlink(path.c_str());  // left behind by a process that is gone
    bound = bind_it();
  }
  if (!bound || ::listen(fd, kBacklog) != 0) {
    return fail(Blame::Config, "listening on unix:{}: {}", path, std::strerror(errno));
  }
  listener->path_ = path;
  if (!listener->remember_file())
    return fail(Blame::Config, "listening on unix:{}: {}", path, std::strerror(errno));
  listener->address_ = std::string(kUnixPrefix) + path;
  return listener;
}

Result<std::unique_ptr<Listener>> Listener::adopt(const std::string& address, int fd) {
  std::unique_ptr<Listener> listener(new Listener);
  listener->fd_ = fd;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return fail(Blame::Self, "{}: no socket of the process before: {}", address,
                std::strerror(errno));
  if (storage.ss_family != AF_UNIX) {
    const auto ip = base::IpAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
    listener->address_ =
        fmt::format("{}:{}", ip.is_v6() ? "[" + ip.text() + "]" : ip.text(), bound_port(fd));
    listener->local_ = is_loopback(ip);
    return listener;
  }
  listener->address_ = address;
  listener->path_ = address.substr(kUnixPrefix.size());
  listener->remember_file();
  return listener;
}

Result<int> Listener::release() {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return fail(Blame::Self, "{}: {}", address_, std::strerror(errno));
  released_.store(true);
  return copy;
}

bool Listener::remember_file() {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return false;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return true;
}

Listener::~Listener() {
  if (fd_ >= 0) ::close(fd_);
  if (released_.load()) return;
  // Only if it is still ours: a successor may have put its own there.
  struct stat status {};
  if (!path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
      status.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

}  // namespace headgate::admin
