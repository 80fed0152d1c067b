// SPDX-License-Identifier: MIT
#include "appliance/server/h3/quic/udp_socket.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace headgate::server {
namespace {

constexpr std::size_t kBatch = 32;
constexpr int kBatches = 8;  ///< before other events get their turn
/// For bursts while a worker is busy; the system's own limit holds where it is lower.
constexpr int kBufferSize = 4 << 20;

template <class T>
void set_option(int descriptor, int level, int name, const T& value) {
  // What a kernel does not know is done without: marks are not seen, segments not cut.
  static_cast<void>(setsockopt(descriptor, level, name, &value, sizeof value));
}

/// Control messages that are being written.
class Controls {
 public:
  template <class T>
  void add(int level, int type, const T& value) {
    auto* header = reinterpret_cast<cmsghdr*>(octets_.data() + size_);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(header), &value, sizeof value);
    size_ += CMSG_SPACE(sizeof value);
  }
  void attach(msghdr& message) {
    message.msg_control = size_ == 0 ? nullptr : octets_.data();
    message.msg_controllen = size_;
  }

 private:
  alignas(cmsghdr) std::array<std::uint8_t, 128> octets_{};
  std::size_t size_ = 0;
};

bool is_v4_mapped(const ngtcp2_addr& address) {
  return address.addr->sa_family == AF_INET6 &&
         IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const sockaddr_in6*>(address.addr)->sin6_addr);
}

/// From where a datagram goes: on a socket that is bound to every address, the one that the client
/// sent to.
void add_source(Controls& controls, const ngtcp2_addr& local) {
  if (local.addr->sa_family == AF_INET) {
    in_pktinfo info{};
    info.ipi_spec_dst = reinterpret_cast<const sockaddr_in*>(local.addr)->sin_addr;
    controls.add(IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    info.ipi6_addr = reinterpret_cast<const sockaddr_in6*>(local.addr)->sin6_addr;
    controls.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

/// What the control messages of a received datagram say.
void read_controls(const msghdr& message, Datagram& datagram) {
  auto& local = datagram.path.local.raw;
  for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(header))) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS) {
      datagram.ecn = *CMSG_DATA(header) & IPTOS_ECN_MASK;
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS) {
      int value = 0;
      std::memcpy(&value, CMSG_DATA(header), sizeof value);
      datagram.ecn = static_cast<std::uint8_t>(value & IPTOS_ECN_MASK);
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      if (local.sa.sa_family == AF_INET) local.in.sin_addr = info.ipi_addr;
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      if (local.sa.sa_family == AF_INET6) local.in6.sin6_addr = info.ipi6_addr;
    }
  }
}

}  // namespace

void steer_by_connection_id(std::span<const int> sockets) {
  if (sockets.size() < 2) return;
  // The destination connection id stands behind the first octet of a packet with a short header
  // (RFC 9000 section 17.3), behind first octet, version and length with a long one (17.2).
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80, 0, 2),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 1),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, static_cast<std::uint32_t>(sockets.size())),
      BPF_STMT(BPF_RET | BPF_A, 0),
  };
  const sock_fprog filter = {.len = std::size(program), .filter = program};
  set_option(sockets.front(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, filter);
}

UdpSocket::UdpSocket(int descriptor) : descriptor_(descriptor) {
  socklen_t size = sizeof bound_.raw;
  getsockname(descriptor, &bound_.raw.sa, &size);
  bound_.size = size;
  const int on = 1;
  set_option(descriptor, SOL_SOCKET, SO_RCVBUF, kBufferSize);
  set_option(descriptor, SOL_SOCKET, SO_SNDBUF, kBufferSize);
  // Datagrams are never fragmented: RFC 9000 section 14, and what is too large tells the path's
  // limit (RFC 8899). A dual-stack socket needs the settings of both families.
  set_option(descriptor, IPPROTO_IP, IP_RECVTOS, on);
  set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, int{IP_PMTUDISC_PROBE});
  if (bound_.raw.sa.sa_family == AF_INET6) {
    set_option(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, on);
    set_option(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, on);
    set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, int{IPV6_PMTUDISC_PROBE});
  } else {
    set_option(descriptor, IPPROTO_IP, IP_PKTINFO, on);
  }
}

UdpSocket::~UdpSocket() { close(descriptor_); }

void UdpSocket::receive(const std::function<void(const Datagram&)>& take) {
  std::array<std::array<std::uint8_t, kLargestReceived>, kBatch> octets;
  std::array<std::array<std::uint8_t, 128>, kBatch> controls;
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> pieces;
  std::array<Datagram, kBatch> datagrams;
  for (int batch = 0; batch < kBatches; ++batch) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      pieces[i] = {.iov_base = octets[i].data(), .iov_len = kLargestReceived};
      msghdr& message = messages[i].msg_hdr;
      message.msg_name = &datagrams[i].path.remote.raw;
      message.msg_namelen = sizeof datagrams[i].path.remote.raw;
      message.msg_iov = &pieces[i];
      message.msg_iovlen = 1;
      message.msg_control = controls[i].data();
      message.msg_controllen = controls[i].size();
    }
    const int count = recvmmsg(descriptor_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count <= 0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const msghdr& message = messages[i].msg_hdr;
      // Larger than peers may send.
      if ((message.msg_flags & MSG_TRUNC) != 0) continue;
      Datagram& datagram = datagrams[i];
      datagram.octets = {octets[i].data(), messages[i].msg_len};
      datagram.path.remote.size = message.msg_namelen;
      datagram.path.local = bound_;
      datagram.ecn = 0;
      read_controls(message, datagram);
      take(datagram);
    }
    if (static_cast<std::size_t>(count) < kBatch) return;
  }
}

bool UdpSocket::send(std::span<const std::uint8_t> octets, std::size_t segment,
                     const ngtcp2_path& path, std::uint8_t ecn) {
  if (segments_ || octets.size() <= segment) {
    if (send_one(octets, segment, path, ecn)) return true;
    if (segments_) return false;
  }
  // Without the kernel's help one by one; what finds no room is lost, and sent again by QUIC.
  for (std::size_t at = 0; at < octets.size(); at += segment)
    send_one(octets.subspan(at, std::min(segment, octets.size() - at)), segment, path, ecn);
  return true;
}

bool UdpSocket::send_one(std::span<const std::uint8_t> octets, std::size_t segment,
                         const ngtcp2_path& path, std::uint8_t ecn) {
  iovec piece = {.iov_base = const_cast<std::uint8_t*>(octets.data()), .iov_len = octets.size()};
  msghdr message{};
  message.msg_name = path.remote.addr;
  message.msg_namelen = path.remote.addrlen;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  Controls controls;
  add_source(controls, path.local);
  if (path.remote.addr->sa_family == AF_INET || is_v4_mapped(path.remote)) {
    controls.add(IPPROTO_IP, IP_TOS, int{ecn});
  } else {
    controls.add(IPPROTO_IPV6, IPV6_TCLASS, int{ecn});
  }
  const bool many = octets.size() > segment;
  if (many) controls.add(IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment));
  controls.attach(message);
  ssize_t sent;
  do {
    sent = sendmsg(descriptor_, &message, MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return true;
  if (many && (errno == EIO || errno == EINVAL || errno == ENOPROTOOPT)) {
    segments_ = false;  // a device without checksum offload: it stays so
    return false;
  }
  // EMSGSIZE is what a probe of the path's limit gets; an unreachable client is a lost datagram.
  return errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS;
}

}  // namespace headgate::server
