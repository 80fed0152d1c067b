// SPDX-License-Identifier: MIT
// A client that sends what it is told, for tests of the admin listener.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace headgate::test {

/// A connection to ADDR:PORT or unix:PATH. Gives up waiting after 20 s, with an exception that
/// fails the test.
class RawClient {
 public:
  /// `receive_buffer`: how much the kernel takes for it, 0 being as it likes.
  explicit RawClient(const std::string& address, int receive_buffer = 0);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// Sends all, or as much as the other side takes before it closes.
  void send(std::string_view octets);
  /// Up to the other side's end.
  std::string read_all();
  /// Waits for the other side to give up on a client that takes nothing.
  void wait_for_reset();
  /// Until what has been read in all contains `text`; returns all of it.
  const std::string& read_until(std::string_view text);
  /// Whether the other side has closed, or does so within 20 s.
  bool is_closed();

 private:
  bool read_some();

  int fd_ = -1;
  std::string received_;
};

class Scratch {
 public:
  Scratch();
  ~Scratch();
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  std::filesystem::path folder_;
};

/// A socket file that nobody listens on, as a killed process leaves it.
void leave_stale_socket(const std::string& path);

/// `sha256-…` of Content-Security-Policy.
std::string csp_hash(const std::string& text);

inline constexpr int kPatienceMs = 20'000;

inline sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

inline RawClient::RawClient(const std::string& address, int receive_buffer) {
  int connected = -1;
  if (address.rfind("unix:", 0) == 0) {
    const auto where = unix_address(address.substr(5));
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected = ::connect(fd_, reinterpret_cast<const sockaddr*>(&where), sizeof where);
  } else {
    const auto colon = address.rfind(':');
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &where.sin_addr);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    connected = ::connect(fd_, reinterpret_cast<const sockaddr*>(&where), sizeof where);
  }
  if (connected != 0)
    throw std::runtime_error("connecting to " + address + ": " + std::strerror(errno));
}

inline RawClient::~RawClient() { ::close(fd_); }

inline void RawClient::send(std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent < 0) return;
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
}

inline bool RawClient::read_some() {
  pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, kPatienceMs) != 1)
    throw std::runtime_error("nothing came; so far: " + received_);
  std::array<char, 65536> chunk;
  const ssize_t count = ::recv(fd_, chunk.data(), chunk.size(), 0);
  if (count <= 0) return false;
  received_.append(chunk.data(), static_cast<std::size_t>(count));
  return true;
}

inline std::string RawClient::read_all() {
  while (read_some()) {
  }
  return received_;
}

inline void RawClient::wait_for_reset() {
  pollfd waiting{.fd = fd_, .events = 0, .revents = 0};  // POLLERR and POLLHUP are always reported
  if (::poll(&waiting, 1, kPatienceMs) != 1)
    throw std::runtime_error("the other side did not give up");
}

inline const std::string& RawClient::read_until(std::string_view text) {
  while (received_.find(text) == std::string::npos) {
    if (!read_some()) throw std::runtime_error("closed too early; so far: " + received_);
  }
  return received_;
}

inline bool RawClient::is_closed() {
  const auto before = received_.size();
  return !read_some() || received_.size() == before;
}

inline Scratch::Scratch() {
  std::string pattern = (std::filesystem::temp_directory_path() / "headgate-admin-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no scratch folder");
  folder_ = pattern;
}
inline Scratch::~Scratch() { std::filesystem::remove_all(folder_); }

inline void leave_stale_socket(const std::string& path) {
  const auto where = unix_address(path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0)
    throw std::runtime_error("bind");
  ::close(fd);
}

inline std::string csp_hash(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  std::array<unsigned char, 96> base64;
  EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(length));
  return "sha256-" + std::string(reinterpret_cast<const char*>(base64.data()));
}

}  // namespace headgate::test
