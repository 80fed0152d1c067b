// SPDX-License-Identifier: MIT
// What every test of the origin client starts from: a loop, a client, endpoints and requests.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/origin/client.h"
#include "tests/support/epoll_loop.h"
#include "tests/support/raw_origin.h"
#include "tests/support/recording_sink.h"

namespace headgate::test {

/// Generous timeouts: a test that wants one to pass sets it small.
inline origin::Endpoint plain_endpoint(std::uint16_t port) {
  origin::Endpoint endpoint;
  endpoint.id = "shop/main";
  endpoint.host = "127.0.0.1";
  endpoint.http_port = port;
  endpoint.https_port = port;
  endpoint.connect_timeout = Duration(60'000);
  endpoint.read_timeout = Duration(60'000);
  endpoint.keepalive_timeout = Duration(60'000);
  return endpoint;
}

inline std::shared_ptr<const origin::Endpoint> shared(origin::Endpoint endpoint) {
  return std::make_shared<const origin::Endpoint>(std::move(endpoint));
}

inline origin::Request make_request(std::string method = "GET", std::string target = "/",
                                    std::vector<http::Field> fields = {}) {
  origin::Request request;
  request.method = std::move(method);
  request.host_header = "shop.test";
  request.target = std::move(target);
  request.fields = http::FieldBlock(fields);
  return request;
}

/// A request body that a test fills bit by bit.
/// Threads: the loop's.
class ScriptedBody final : public origin::RequestBody {
 public:
  explicit ScriptedBody(std::optional<std::uint64_t> length = std::nullopt) : length_(length) {}
  std::optional<std::uint64_t> length() const override { return length_; }
  std::string_view pull(std::size_t max) override {
    const std::string_view octets = std::string_view(given_).substr(pulled, max);
    pulled += octets.size();
    return octets;
  }
  bool ended() const override { return ended_ && drained(); }

  void add(std::string_view octets) { given_.append(octets); }
  void end() { ended_ = true; }
  bool drained() const { return pulled == given_.size(); }
  std::size_t pulled = 0;

 private:
  std::optional<std::uint64_t> length_;
  std::string given_;
  bool ended_ = false;
};

/// One loop and one client, as a worker has them.
class OriginFixture {
 public:
  EpollLoop loop;
  origin::Client client{loop};

  std::unique_ptr<origin::Transfer> start(const origin::Endpoint& endpoint, origin::Request request,
                                          origin::Sink& sink) {
    return client.start(shared(endpoint), std::move(request), sink);
  }
  /// The whole exchange; false where it would hang.
  bool exchange(const origin::Endpoint& endpoint, origin::Request request, RecordingSink& sink) {
    const auto transfer = start(endpoint, std::move(request), sink);
    return loop.run_until([&] { return sink.ended(); });
  }
};

}  // namespace headgate::test
