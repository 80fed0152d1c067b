// SPDX-License-Identifier: MIT
// A UDP socket as QUIC uses one: many datagrams a system call both ways, with the addresses and the
// ECN marks of each.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "appliance/server/h3/quic/library.h"

namespace headgate::server {

/// The longest payload that is sent: what a jumbo frame of 9,000 octets holds beside the headers of
/// IPv6 and UDP.
constexpr std::size_t kLargestDatagram = 9000 - 48;
/// The longest that is taken; peers are told.
constexpr std::size_t kLargestReceived = 2048;

/// One datagram that has come. Views are valid during the call that hands it over.
struct Datagram {
  std::span<const std::uint8_t> octets;
  QuicPath path;
  std::uint8_t ecn = 0;  ///< the two bits of RFC 3168
};

/// Makes the sockets of one address, bound in the order of their workers, share datagrams out by
/// the connection id: that of worker n gets those whose number (see QuicSecrets) has remainder n.
/// Where the kernel refuses, it goes by addresses, and workers pass on what is not theirs.
void steer_by_connection_id(std::span<const int> sockets);

/// Threads: one.
class UdpSocket {
 public:
  /// Takes over a bound descriptor.
  explicit UdpSocket(int descriptor);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  int descriptor() const { return descriptor_; }
  /// Hands over what has come, a few hundred datagrams at most.
  void receive(const std::function<void(const Datagram&)>& take);
  /// Sends `octets` as datagrams of `segment` octets, the last of which may be shorter, from
  /// `path.local` to `path.remote`. False: the system has no room, try again soon. What the network
  /// refuses counts as sent, and as lost.
  bool send(std::span<const std::uint8_t> octets, std::size_t segment, const ngtcp2_path& path,
            std::uint8_t ecn);

 private:
  bool send_one(std::span<const std::uint8_t> octets, std::size_t segment, const ngtcp2_path& path,
                std::uint8_t ecn);

  const int descriptor_;
  QuicAddress bound_;     ///< its port is that of every local address
  bool segments_ = true;  ///< the kernel cuts (UDP_SEGMENT)
};

}  // namespace headgate::server
