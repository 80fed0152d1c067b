// SPDX-License-Identifier: MIT
// Names of origins: the resolver is this program's own, so that it can be slow, wrong and counted.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <netdb.h>

#include <atomic>
#include <cstring>

#include "tests/support/gate.h"
#include "tests/support/origin_fixture.h"

using namespace headgate;
using namespace headgate::test;
using origin::Failure;

namespace {

std::atomic<int> look_ups{0};
std::atomic<int> stuck{0};
std::atomic<Gate*> unstick{nullptr};

}  // namespace

/// Before the C library's in the order of symbols, so that libcurl's resolver threads call it.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  using Real = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const Real real = reinterpret_cast<Real>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string_view name = node == nullptr ? "" : node;
  if (name == "missing.test") return EAI_NONAME;
  if (name == "stuck.test") {
    ++stuck;
    unstick.load()->wait();
    --stuck;
    return EAI_AGAIN;
  }
  if (name == "known.test") {
    ++look_ups;
    return real("127.0.0.1", service, hints, result);
  }
  return real(node, service, hints, result);
}

namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

RawOrigin::Script answer() {
  return [](Connection& connection) {
    while (!connection.read_head().empty()) {
      if (!connection.send(kOk)) return;
    }
  };
}

origin::Endpoint named_endpoint(std::string host, std::uint16_t port) {
  origin::Endpoint endpoint = plain_endpoint(port);
  endpoint.host = std::move(host);
  endpoint.connection_attempts = 1;
  return endpoint;
}

}  // namespace

TEST_CASE("a name is looked up once for many connections") {
  RawOrigin server(answer());
  OriginFixture worker;
  look_ups = 0;
  origin::Endpoint endpoint = named_endpoint("known.test", server.port());
  endpoint.keepalive_timeout = Duration(0);
  for (int i = 0; i < 4; ++i) {
    RecordingSink sink;
    REQUIRE(worker.exchange(endpoint, make_request(), sink));
    CHECK(sink.complete);
  }
  CHECK(server.accepted() == 4);
  CHECK(look_ups == 1);
}

TEST_CASE("a name that does not exist is a DNS error") {
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(named_endpoint("missing.test", 80), make_request(), sink));
  CHECK(sink.failure == Failure::DnsError);
}

TEST_CASE(
    "a resolver that is stuck holds up neither the loop, nor a timeout, nor a cancel, nor the "
    "client's end") {
  Gate gate;
  unstick = &gate;
  RawOrigin server(answer());
  {
    OriginFixture worker;
    RecordingSink sinks[3];
    origin::Endpoint impatient = named_endpoint("stuck.test", server.port());
    impatient.connect_timeout = Duration(50);
    const auto first = worker.start(impatient, make_request(), sinks[0]);
    auto second =
        worker.start(named_endpoint("stuck.test", server.port()), make_request(), sinks[1]);
    const auto third =
        worker.start(named_endpoint("stuck.test", server.port()), make_request(), sinks[2]);
    REQUIRE(worker.loop.run_until([&] { return stuck == 3; }));

    RecordingSink other;
    REQUIRE(worker.exchange(plain_endpoint(server.port()), make_request(), other));
    CHECK(other.complete);

    REQUIRE(worker.loop.run_until([&] { return sinks[0].ended(); }));
    CHECK(sinks[0].failure == Failure::DnsTimeout);
    CHECK(origin::status_of(*sinks[0].failure) == 504);
    second.reset();
    REQUIRE(worker.loop.run_until([&] { return worker.client.transfers() == 1; }));
    CHECK(stuck == 3);  // else one of these had waited for it
  }
  CHECK(stuck == 3);
  gate.open();
  while (stuck != 0) std::this_thread::yield();
}

TEST_CASE("a plain request goes to the host, whatever name TLS would ask for") {
  RawOrigin server(answer());
  OriginFixture worker;
  RecordingSink sink;
  origin::Endpoint endpoint = named_endpoint("known.test", server.port());
  endpoint.sni = "other.test";  // for TLS only
  REQUIRE(worker.exchange(endpoint, make_request(), sink));
  CHECK(sink.complete);
}
