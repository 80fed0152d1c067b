// SPDX-License-Identifier: MIT
// What the fuzz targets of QUIC share: an edge, a socket that counts, the input in pieces.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/server/edge.h"
#include "appliance/server/h3/crypto/secrets.h"
#include "appliance/server/h3/quic/library.h"
#include "appliance/snapshot/configuration.h"
#include "appliance/snapshot/snapshot.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

namespace headgate::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

/// An edge for a distribution that speaks HTTP/3, on a free port; its origin is nowhere.
struct Target {
  Target() {
    const std::map<std::string, std::string> files = {{"repository.yaml", R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: a }
spec:
  aliases: ["*"]
  httpVersion: http2and3
  earlyData: true
  origins: [{ id: o, domainName: 127.0.0.1, custom: { originProtocolPolicy: http-only, httpPort: 9 } }]
  defaultCacheBehavior: { targetOriginId: o, viewerProtocolPolicy: allow-all }
)"}};
    const schema::MemoryTree tree(files);
    schema::Loader loader;
    auto published = std::make_shared<snapshot::Snapshot>();
    published->configuration =
        snapshot::compile(loader.load(tree).model, {}, nullptr).configuration;
    published->purges = std::make_shared<const cache::PurgeTable>();
    require(published->configuration != nullptr);
    holder.publish(std::move(published));
    server::EdgeOptions options;
    options.https = {"127.0.0.1:0"};
    options.quic_seed = seed;
    // Handshakes that nobody finishes make room for others.
    options.limits.request_header_timeout = std::chrono::milliseconds(100);
    edge = std::move(*server::Edge::start(std::move(options), holder, metrics, nullptr));
    const std::string address = edge->https_addresses().front();
    at.sin_family = AF_INET;
    at.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }

  const server::QuicSeed seed{};
  const server::QuicSecrets secrets{seed};
  snapshot::SnapshotHolder holder;
  observe::Metrics metrics;
  std::unique_ptr<server::Edge> edge;
  sockaddr_in at{};
};

/// A client's socket, which counts.
class Line {
 public:
  explicit Line(const sockaddr_in& to) : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    require(connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    const timeval patience = {.tv_sec = 30, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Line() {
    require(received_ <= 3 * sent_);
    close(socket_);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void send(std::string_view octets) {
    if (::send(socket_, octets.data(), octets.size(), 0) > 0) sent_ += octets.size();
  }

  /// Until the edge has seen all and said what it has to say: what it answers connections with goes
  /// out after the answer to a question of the same moment, so it is asked twice.
  void wait() {
    for (int i = 0; i < 2; ++i) ask();
  }

  ngtcp2_path path() {
    socklen_t size = sizeof here_;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&here_), &size);
    size = sizeof there_;
    getpeername(socket_, reinterpret_cast<sockaddr*>(&there_), &size);
    return {{reinterpret_cast<ngtcp2_sockaddr*>(&here_), sizeof here_},
            {reinterpret_cast<ngtcp2_sockaddr*>(&there_), sizeof there_},
            nullptr};
  }

 private:
  /// Which versions it speaks; what comes before the answer counts.
  void ask() {
    constexpr std::string_view kProbe =
        "\xc0\x1a\x2a\x3a\x4a\x08question\x05"
        "probe";
    std::string probe(kProbe);
    probe.resize(1200);
    require(::send(socket_, probe.data(), probe.size(), 0) > 0);
    std::array<char, 65536> octets;
    for (;;) {
      const ssize_t size = recv(socket_, octets.data(), octets.size(), 0);
      require(size > 0);  // it has stopped answering
      const std::string_view got(octets.data(), static_cast<std::size_t>(size));
      if (got.size() > 11 && got.substr(1, 4) == std::string_view("\0\0\0\0", 4) &&
          got.substr(6, 5) == "probe")
        return;
      received_ += got.size();
    }
  }

  int socket_;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
  sockaddr_in here_{};
  sockaddr_in there_{};
};

/// Octets of the input, in the order in which they are asked for.
class Input {
 public:
  Input(const std::uint8_t* octets, std::size_t size)
      : rest_(reinterpret_cast<const char*>(octets), size) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t octet() {
    return rest_.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(take(1).front());
  }
  std::size_t number() { return std::size_t{octet()} << 8 | octet(); }
  std::string_view take(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() { return take(rest_.size()); }

 private:
  std::string_view rest_;
};

}  // namespace headgate::fuzz
