// SPDX-License-Identifier: MIT
// Connections that are kept, those that died meanwhile, and what may be sent a second time.
#include <doctest/doctest.h>

#include <atomic>

#include "tests/support/gate.h"
#include "tests/support/origin_fixture.h"

using namespace headgate;
using namespace headgate::test;
using origin::Failure;

namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers the first request of each connection; then does `second` with the next. Keeps every
/// request line.
struct Dying {
  explicit Dying(std::function<void(Connection&)> second)
      : origin([this, second = std::move(second)](Connection& connection) {
          if (!take(connection)) return;
          connection.send(kOk);
          if (take(connection)) second(connection);
        }) {}
  bool take(Connection& connection) {
    const std::string head = connection.read_head();
    if (head.empty()) return false;
    base::MutexLock lock(mutex);
    lines.push_back(head.substr(0, head.find(" HTTP")));
    return true;
  }
  std::vector<std::string> seen() {
    base::MutexLock lock(mutex);
    return lines;
  }

  base::Mutex mutex;
  std::vector<std::string> lines GUARDED_BY(mutex);
  RawOrigin origin;
};

void warm_up(OriginFixture& worker, const origin::Endpoint& endpoint) {
  RecordingSink sink;
  REQUIRE(worker.exchange(endpoint, make_request("GET", "/first"), sink));
  REQUIRE(sink.complete);
}

}  // namespace

TEST_CASE("a connection is used again, and says so") {
  Dying server([](Connection& connection) {
    do {
      connection.send(kOk);
    } while (!connection.read_head().empty());
  });
  OriginFixture worker;
  for (int i = 0; i < 5; ++i) {
    RecordingSink sink;
    const auto transfer = worker.start(plain_endpoint(server.origin.port()), make_request(), sink);
    REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
    CHECK(sink.complete);
    CHECK(transfer->reused_connection() == (i != 0));
  }
  CHECK(server.origin.accepted() == 1);
}

TEST_CASE("a keep-alive timeout of nothing keeps no connection") {
  Dying server([](Connection&) {});
  OriginFixture worker;
  origin::Endpoint endpoint = plain_endpoint(server.origin.port());
  endpoint.keepalive_timeout = Duration(0);
  warm_up(worker, endpoint);
  warm_up(worker, endpoint);
  CHECK(server.origin.accepted() == 2);
}

TEST_CASE(
    "a request without a body is sent once more when its reused connection dies without an octet") {
  for (const std::string method : {"GET", "HEAD", "OPTIONS", "DELETE"}) {
    for (const bool reset : {false, true}) {
      CAPTURE(method);
      Dying server([reset](Connection& connection) {
        if (reset) connection.reset();
      });
      OriginFixture worker;
      const origin::Endpoint endpoint = plain_endpoint(server.origin.port());
      warm_up(worker, endpoint);
      RecordingSink sink;
      REQUIRE(worker.exchange(endpoint, make_request(method, "/second"), sink));
      CHECK(sink.complete);
      CHECK(sink.heads == 1);
      CHECK(server.seen() ==
            std::vector<std::string>{"GET /first", method + " /second", method + " /second"});
    }
  }
}

TEST_CASE("a POST on a dead connection is never sent again, with a body or without") {
  for (const bool with_body : {false, true}) {
    for (const bool reset : {false, true}) {
      Dying server([reset](Connection& connection) {
        if (reset) connection.reset();
      });
      OriginFixture worker;
      const origin::Endpoint endpoint = plain_endpoint(server.origin.port());
      warm_up(worker, endpoint);
      RecordingSink sink;
      origin::Request request = make_request("POST", "/second");
      if (with_body) {
        auto body = std::make_shared<ScriptedBody>(3);
        body->add("abc");
        body->end();
        request.body = body;
      }
      REQUIRE(worker.exchange(endpoint, std::move(request), sink));
      CHECK(sink.failure == Failure::ConnectionTerminated);
      CHECK(server.seen() == std::vector<std::string>{"GET /first", "POST /second"});
    }
  }
}

TEST_CASE("a PUT with a body is not sent again either: its body is gone") {
  Dying server([](Connection&) {});
  OriginFixture worker;
  const origin::Endpoint endpoint = plain_endpoint(server.origin.port());
  warm_up(worker, endpoint);
  RecordingSink sink;
  origin::Request request = make_request("PUT", "/second");
  auto body = std::make_shared<ScriptedBody>();
  body->add("abc");
  body->end();
  request.body = body;
  REQUIRE(worker.exchange(endpoint, std::move(request), sink));
  CHECK(sink.failure == Failure::ConnectionTerminated);
  CHECK(server.seen().size() == 2);
}

TEST_CASE("never a third time") {
  Gate all_connected;
  std::atomic<int> second_requests{0};
  RawOrigin server([&](Connection& connection) {
    if (connection.number() < 3) {
      connection.read_head();
      all_connected.wait();
      connection.send(kOk);
    }
    if (!connection.read_head().empty()) ++second_requests;
  });
  OriginFixture worker;
  const origin::Endpoint endpoint = plain_endpoint(server.port());
  std::vector<RecordingSink> sinks(3);
  std::vector<std::unique_ptr<origin::Transfer>> transfers;
  for (RecordingSink& sink : sinks) {
    transfers.push_back(worker.start(endpoint, make_request("GET", "/first"), sink));
  }
  REQUIRE(worker.loop.run_until([&] { return server.accepted() == 3; }));
  all_connected.open();
  REQUIRE(worker.loop.run_until(
      [&] { return sinks[0].ended() && sinks[1].ended() && sinks[2].ended(); }));

  RecordingSink sink;  // three idle connections that all die, and so does any new one
  REQUIRE(worker.exchange(endpoint, make_request("GET", "/second"), sink));
  CHECK(sink.failure == Failure::ConnectionTerminated);
  CHECK(second_requests == 2);
  CHECK(server.accepted() == 4);
}

TEST_CASE("a reused connection that dies inside the head is not tried again") {
  for (const bool reset : {false, true}) {
    Dying server([reset](Connection& connection) {
      connection.send("HTTP/1.1 200 OK\r\nX-A: b\r\n");
      if (reset) connection.reset();
    });
    OriginFixture worker;
    const origin::Endpoint endpoint = plain_endpoint(server.origin.port());
    warm_up(worker, endpoint);
    RecordingSink sink;
    REQUIRE(worker.exchange(endpoint, make_request("GET", "/second"), sink));
    CHECK(sink.failure == Failure::ConnectionTerminated);
    CHECK(server.seen().size() == 2);
  }
}

TEST_CASE(
    "a kept connection that the origin has closed meanwhile is noticed, so that a POST arrives") {
  Gate closed;
  RawOrigin server([&](Connection& connection) {
    connection.read_head();
    connection.send(kOk);
    if (connection.number() != 0) return;
    connection.finish();
    closed.open();
    connection.read_to_end();
  });
  OriginFixture worker;
  const origin::Endpoint endpoint = plain_endpoint(server.port());
  warm_up(worker, endpoint);
  REQUIRE(closed.wait());
  RecordingSink sink;
  REQUIRE(worker.exchange(endpoint, make_request("POST", "/second"), sink));
  CHECK(sink.complete);
  CHECK(server.accepted() == 2);
}

TEST_CASE("octets that arrive on an idle connection do not answer the next request") {
  Gate answered;
  Gate poisoned;
  RawOrigin server([&](Connection& connection) {
    while (!connection.read_head().empty()) {
      connection.send(kOk);
      if (connection.number() != 0) continue;
      answered.wait();
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
      poisoned.open();
    }
  });
  OriginFixture worker;
  const origin::Endpoint endpoint = plain_endpoint(server.port());
  warm_up(worker, endpoint);
  answered.open();
  REQUIRE(poisoned.wait());
  RecordingSink sink;
  REQUIRE(worker.exchange(endpoint, make_request("GET", "/second"), sink));
  CHECK(sink.body == "ok");
  CHECK(server.accepted() == 2);
}

TEST_CASE("a chunked body goes to a new connection when the kept one speaks HTTP/1.0") {
  RawOrigin server([](Connection& connection) {
    while (!connection.read_head().empty()) {
      connection.send("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
      if (connection.number() == 1) connection.read_octets(13);
    }
  });
  OriginFixture worker;
  const origin::Endpoint endpoint = plain_endpoint(server.port());
  warm_up(worker, endpoint);
  RecordingSink sink;
  origin::Request request = make_request("POST", "/second");
  auto body = std::make_shared<ScriptedBody>();
  body->add("abc");
  body->end();
  request.body = body;
  REQUIRE(worker.exchange(endpoint, std::move(request), sink));
  CHECK(sink.complete);
  CHECK(server.accepted() == 2);
}
