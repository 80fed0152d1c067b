// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "appliance/server/h3/quic/udp_socket.h"

using headgate::server::Datagram;
using headgate::server::QuicAddress;
using headgate::server::QuicPath;
using headgate::server::UdpSocket;

namespace {

QuicAddress address(const char* text, std::uint16_t port) {
  QuicAddress made;
  if (inet_pton(AF_INET, text, &made.raw.in.sin_addr) == 1) {
    made.raw.in.sin_family = AF_INET;
    made.raw.in.sin_port = htons(port);
    made.size = sizeof made.raw.in;
  } else {
    REQUIRE(inet_pton(AF_INET6, text, &made.raw.in6.sin6_addr) == 1);
    made.raw.in6.sin6_family = AF_INET6;
    made.raw.in6.sin6_port = htons(port);
    made.size = sizeof made.raw.in6;
  }
  return made;
}

std::uint16_t port_of(int descriptor) {
  QuicAddress bound;
  socklen_t size = sizeof bound.raw;
  REQUIRE(getsockname(descriptor, &bound.raw.sa, &size) == 0);
  return ntohs(bound.raw.sa.sa_family == AF_INET ? bound.raw.in.sin_port : bound.raw.in6.sin6_port);
}

/// A socket of ours, bound to `text` and a free port; 0.0.0.0 and :: stand for every address.
int bound(const char* text) {
  const QuicAddress at = address(text, 0);
  const int descriptor = socket(at.raw.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  REQUIRE(descriptor >= 0);
  REQUIRE(bind(descriptor, &at.raw.sa, at.size) == 0);
  return descriptor;
}

/// A client that hears only whom it speaks to.
class Client {
 public:
  Client(const char* text, std::uint16_t port) {
    const QuicAddress to = address(text, port);
    descriptor_ = socket(to.raw.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(descriptor_, &to.raw.sa, to.size) == 0);
    const timeval patience = {.tv_sec = 20, .tv_usec = 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const int on = 1;
    setsockopt(descriptor_, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
    setsockopt(descriptor_, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
  }
  ~Client() { close(descriptor_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void mark(int ecn) const {
    setsockopt(descriptor_, IPPROTO_IP, IP_TOS, &ecn, sizeof ecn);
    setsockopt(descriptor_, IPPROTO_IPV6, IPV6_TCLASS, &ecn, sizeof ecn);
  }
  void send(const std::string& octets) const {
    REQUIRE(::send(descriptor_, octets.data(), octets.size(), 0) ==
            static_cast<ssize_t>(octets.size()));
  }
  /// The next datagram, and its ECN mark in `ecn`; "nothing" when none has come for long.
  std::string receive(int* ecn = nullptr) const {
    std::vector<char> octets(65536);
    iovec piece = {.iov_base = octets.data(), .iov_len = octets.size()};
    alignas(cmsghdr) char control[128];
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(descriptor_, &message, 0);
    if (size < 0) return "nothing";
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (ecn != nullptr) *ecn = header == nullptr ? -1 : *CMSG_DATA(header) & IPTOS_ECN_MASK;
    return {octets.data(), static_cast<std::size_t>(size)};
  }

 private:
  int descriptor_ = -1;
};

struct Received {
  std::string octets;
  QuicPath path;
  std::uint8_t ecn;
};

/// What has come. Over the loopback device it is there when the sender's call has returned.
std::vector<Received> receive(UdpSocket& socket) {
  std::vector<Received> all;
  socket.receive([&](const Datagram& datagram) {
    all.push_back({{reinterpret_cast<const char*>(datagram.octets.data()), datagram.octets.size()},
                   datagram.path,
                   datagram.ecn});
  });
  return all;
}

bool send(UdpSocket& socket, const std::string& octets, std::size_t segment, const QuicPath& path,
          std::uint8_t ecn = 0) {
  return socket.send({reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()}, segment,
                     path.view(), ecn);
}

struct Place {
  const char* bound;
  const char* spoken_to;
};

}  // namespace

TEST_CASE("an answer comes from the address that the client has sent to") {
  for (const Place place : {Place{"127.0.0.1", "127.0.0.1"}, Place{"0.0.0.0", "127.0.0.1"},
                            Place{"0.0.0.0", "127.0.0.2"}, Place{"::1", "::1"}, Place{"::", "::1"},
                            Place{"::", "127.0.0.1"}, Place{"::", "127.0.0.2"}}) {
    CAPTURE(place.bound);
    CAPTURE(place.spoken_to);
    UdpSocket socket(bound(place.bound));
    const Client client(place.spoken_to, port_of(socket.descriptor()));
    client.send("hello");
    const auto received = receive(socket);
    REQUIRE(received.size() == 1);
    CHECK(received[0].octets == "hello");
    CHECK(send(socket, "here", 4, received[0].path));
    CHECK(client.receive() == "here");
  }
}

TEST_CASE("ECN marks are seen and set, over both families and over IPv4 on a socket of IPv6") {
  for (const Place place :
       {Place{"127.0.0.1", "127.0.0.1"}, Place{"::1", "::1"}, Place{"::", "127.0.0.1"}}) {
    CAPTURE(place.bound);
    UdpSocket socket(bound(place.bound));
    const Client client(place.spoken_to, port_of(socket.descriptor()));
    for (const std::uint8_t mark :
         {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}}) {
      client.mark(mark);
      client.send("x");
      const auto received = receive(socket);
      REQUIRE(received.size() == 1);
      CHECK(received[0].ecn == mark);
      int seen = -1;
      CHECK(send(socket, "y", 1, received[0].path, mark));
      CHECK(client.receive(&seen) == "y");
      CHECK(seen == mark);
    }
  }
}

TEST_CASE("a burst arrives as datagrams, also where the kernel does not cut it") {
  for (const bool kernel_cuts : {true, false}) {
    CAPTURE(kernel_cuts);
    UdpSocket socket(bound("127.0.0.1"));
    const Client client("127.0.0.1", port_of(socket.descriptor()));
    client.send("hello");
    const auto received = receive(socket);
    REQUIRE(received.size() == 1);
    // Linux refuses to cut for a socket without checksums.
    const int no_checksums = kernel_cuts ? 0 : 1;
    setsockopt(socket.descriptor(), SOL_SOCKET, SO_NO_CHECK, &no_checksums, sizeof no_checksums);
    std::string burst(4500, '\0');
    std::iota(burst.begin(), burst.end(), '\0');
    for (int round = 0; round < 2; ++round) {
      CHECK(send(socket, burst, 1000, received[0].path));
      std::string joined;
      for (const std::size_t size : {1000, 1000, 1000, 1000, 500}) {
        const std::string one = client.receive();
        CHECK(one.size() == size);
        joined += one;
      }
      CHECK(joined == burst);
    }
  }
}

TEST_CASE("what is too large for the path, or goes to nobody, is lost and holds nothing up") {
  UdpSocket socket(bound("127.0.0.1"));
  std::uint16_t port = 0;
  {
    const Client client("127.0.0.1", port_of(socket.descriptor()));
    client.send("hello");
    const auto received = receive(socket);
    REQUIRE(received.size() == 1);
    port = ntohs(received[0].path.remote.raw.in.sin_port);
    CHECK(send(socket, std::string(65530, 'x'), 65530, received[0].path));
    CHECK(send(socket, "after", 5, received[0].path));
    CHECK(client.receive() == "after");
  }
  const QuicPath gone = {.local = address("127.0.0.1", port_of(socket.descriptor())),
                         .remote = address("127.0.0.1", port)};
  for (int i = 0; i < 3; ++i) CHECK(send(socket, "anybody?", 8, gone));
}

TEST_CASE("what is longer than peers may send is left out") {
  UdpSocket socket(bound("127.0.0.1"));
  const Client client("127.0.0.1", port_of(socket.descriptor()));
  client.send(std::string(headgate::server::kLargestReceived, 'a'));
  client.send(std::string(headgate::server::kLargestReceived + 1, 'b'));
  client.send("c");
  const auto received = receive(socket);
  REQUIRE(received.size() == 2);
  CHECK(received[0].octets == std::string(headgate::server::kLargestReceived, 'a'));
  CHECK(received[1].octets == "c");
}
