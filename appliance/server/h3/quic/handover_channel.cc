// SPDX-License-Identifier: MIT
#include "appliance/server/h3/quic/handover_channel.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace headgate::server {
namespace {

constexpr int kBurst = 256;
constexpr int kBufferSize = 4 << 20;

/// What goes before the octets of a datagram. Both processes are of one machine, not always of one
/// version: see kFormat of the hand-over.
struct Head {
  std::uint8_t ecn = 0;
  std::array<std::uint8_t, 3> unused{};
  std::uint32_t local_size = 0;
  std::uint32_t remote_size = 0;
  ngtcp2_sockaddr_union local{};
  ngtcp2_sockaddr_union remote{};
};

bool is_size(std::uint32_t size) {
  return size == sizeof(sockaddr_in) || size == sizeof(sockaddr_in6);
}

}  // namespace

Result<std::pair<int, int>> HandoverChannel::make_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return fail(Blame::Self, "a channel to the next process: {}", std::strerror(errno));
  for (const int end : ends)  // as much as the system allows
    static_cast<void>(setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kBufferSize, sizeof kBufferSize));
  return std::pair(ends[0], ends[1]);
}

HandoverChannel::HandoverChannel(int descriptor) : descriptor_(descriptor) {}
HandoverChannel::~HandoverChannel() { close(descriptor_); }

void HandoverChannel::send(const Datagram& datagram) {
  Head head;
  head.ecn = datagram.ecn;
  head.local_size = datagram.path.local.size;
  head.remote_size = datagram.path.remote.size;
  head.local = datagram.path.local.raw;
  head.remote = datagram.path.remote.raw;
  std::array<iovec, 2> pieces = {
      iovec{.iov_base = &head, .iov_len = sizeof head},
      iovec{.iov_base = const_cast<std::uint8_t*>(datagram.octets.data()),
            .iov_len = datagram.octets.size()}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  static_cast<void>(sendmsg(descriptor_, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

bool HandoverChannel::receive(const std::function<void(const Datagram&)>& take) {
  for (int i = 0; i < kBurst; ++i) {
    Head head;
    std::array<std::uint8_t, kLargestReceived> octets;
    std::array<iovec, 2> pieces = {iovec{.iov_base = &head, .iov_len = sizeof head},
                                   iovec{.iov_base = octets.data(), .iov_len = octets.size()}};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t size = recvmsg(descriptor_, &message, MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return false;
    if (static_cast<std::size_t>(size) <= sizeof head || !is_size(head.local_size) ||
        !is_size(head.remote_size))
      continue;
    Datagram datagram;
    datagram.octets = {octets.data(), static_cast<std::size_t>(size) - sizeof head};
    datagram.path.local.raw = head.local;
    datagram.path.local.size = head.local_size;
    datagram.path.remote.raw = head.remote;
    datagram.path.remote.size = head.remote_size;
    datagram.ecn = head.ecn;
    take(datagram);
  }
  return true;
}

}  // namespace headgate::server
