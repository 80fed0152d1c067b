// SPDX-License-Identifier: MIT
// A Transfer may be destroyed at any moment, also by the sink it is calling; then it is silent, and
// nothing of it is left.
#include <doctest/doctest.h>

#include "tests/support/full_backlog.h"
#include "tests/support/gate.h"
#include "tests/support/origin_fixture.h"

using namespace headgate;
using namespace headgate::test;
using origin::Failure;

namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

RawOrigin::Script answer(std::string octets) {
  return [octets = std::move(octets)](Connection& connection) {
    while (!connection.read_head().empty()) {
      if (!connection.send(octets)) return;
    }
  };
}

/// One transfer that a test ends by itself.
struct Cancelled {
  explicit Cancelled(std::uint16_t port) : endpoint(plain_endpoint(port)) {}
  void start(origin::Request request = make_request()) {
    transfer = worker.start(endpoint, std::move(request), sink);
  }
  void cancel() { transfer.reset(); }
  /// Nothing more comes, nothing is left, and the client still works.
  void check_gone() {
    const int heads = sink.heads;
    const std::size_t octets = sink.octets;
    const bool ended = sink.ended();
    REQUIRE(worker.loop.run_until([&] { return worker.client.transfers() == 0; }));
    RawOrigin other(answer(std::string(kOk)));
    RecordingSink after;
    REQUIRE(worker.exchange(plain_endpoint(other.port()), make_request(), after));
    CHECK(after.complete);
    CHECK(sink.heads == heads);
    CHECK(sink.octets == octets);
    CHECK(sink.ended() == ended);
  }

  OriginFixture worker;
  RecordingSink sink;
  origin::Endpoint endpoint;
  std::unique_ptr<origin::Transfer> transfer;
};

}  // namespace

TEST_CASE("cancel before the loop has turned sends nothing") {
  RawOrigin server(answer(std::string(kOk)));
  Cancelled test(server.port());
  test.start();
  test.cancel();
  test.check_gone();
  CHECK(server.accepted() == 0);
}

TEST_CASE("cancel while connecting") {
  const FullBacklog backlog;
  Cancelled test(backlog.port());
  test.start();
  for (int i = 0; i < 5; ++i) test.worker.loop.turn_once();
  test.cancel();
  test.check_gone();
}

TEST_CASE("cancel while waiting for the head closes the connection") {
  Gate asked;
  Gate closed;
  RawOrigin server([&](Connection& connection) {
    connection.read_head();
    asked.open();
    connection.read_to_end();
    closed.open();
  });
  Cancelled test(server.port());
  test.start();
  REQUIRE(test.worker.loop.run_until([&] { return asked.is_open(); }));
  test.cancel();
  REQUIRE(test.worker.loop.run_until([&] { return closed.is_open(); }));
  test.check_gone();
}

TEST_CASE("cancel from inside on_head, on_octets, on_complete and on_failure") {
  RawOrigin good(answer(std::string(kOk)));
  RawOrigin truncated([](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok");
  });
  const std::uint16_t closed_port = RawOrigin([](Connection&) {}).port();

  Cancelled head(good.port());
  head.sink.at_head = [&] { head.cancel(); };
  head.start();
  REQUIRE(head.worker.loop.run_until([&] { return head.sink.heads == 1; }));
  head.check_gone();
  CHECK(head.sink.octets == 0);

  for (const bool result : {true, false}) {
    Cancelled octets(good.port());
    octets.sink.at_octets = [&] {
      octets.cancel();
      return result;
    };
    octets.start();
    REQUIRE(octets.worker.loop.run_until([&] { return octets.sink.octets != 0; }));
    octets.check_gone();
    CHECK(!octets.sink.ended());
  }

  for (const std::uint16_t port : {good.port(), truncated.port(), closed_port}) {
    Cancelled end(port);
    end.sink.at_end = [&] { end.cancel(); };
    end.start();
    REQUIRE(end.worker.loop.run_until([&] { return end.sink.ended(); }));
    CHECK(end.transfer == nullptr);
    end.check_gone();
    CHECK(end.sink.complete == (port == good.port()));
  }
}

TEST_CASE("cancel from inside on_failure after a timeout") {
  RawOrigin silent([](Connection& connection) { connection.read_to_end(); });
  Cancelled test(silent.port());
  test.endpoint.read_timeout = Duration(20);
  test.sink.at_end = [&] { test.cancel(); };
  test.start();
  REQUIRE(test.worker.loop.run_until([&] { return test.sink.ended(); }));
  test.check_gone();
}

TEST_CASE("cancel while paused, also just after resume") {
  for (const bool resume : {false, true}) {
    RawOrigin server([](Connection& connection) {
      connection.read_head();
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
      connection.send(std::string(1'000'000, 'x'));
    });
    Cancelled test(server.port());
    test.sink.at_octets = [] { return false; };
    test.start();
    REQUIRE(test.worker.loop.run_until([&] { return test.sink.octets != 0; }));
    for (int i = 0; i < 5; ++i) test.worker.loop.turn_once();
    if (resume) test.transfer->resume();
    test.cancel();
    test.check_gone();
  }
}

TEST_CASE(
    "cancel while the request body is waited for, also just after body_ready, also from inside "
    "pull") {
  struct Ending final : origin::RequestBody {
    explicit Ending(std::function<void()> at_pull) : hook(std::move(at_pull)) {}
    std::optional<std::uint64_t> length() const override { return std::nullopt; }
    std::string_view pull(std::size_t) override {
      ++pulls;
      if (hook) hook();
      return {};
    }
    bool ended() const override { return false; }
    std::function<void()> hook;
    int pulls = 0;
  };
  RawOrigin server([](Connection& connection) { connection.read_to_end(); });
  for (const int way : {0, 1, 2}) {
    Cancelled test(server.port());
    const auto body = std::make_shared<Ending>([&] {
      if (way == 2) test.cancel();
    });
    origin::Request request = make_request("POST");
    request.body = body;
    test.start(std::move(request));
    REQUIRE(test.worker.loop.run_until([&] { return body->pulls != 0; }));
    if (way == 1) test.transfer->body_ready();
    test.cancel();
    test.check_gone();
    CHECK(body.use_count() == 1);
  }
}

TEST_CASE("a sink may start another transfer, and cancel another, from inside its calls") {
  RawOrigin server(answer(std::string(kOk)));
  RawOrigin silent([](Connection& connection) { connection.read_to_end(); });
  OriginFixture worker;
  RecordingSink waiting;
  RecordingSink first;
  RecordingSink second;
  auto victim = worker.start(plain_endpoint(silent.port()), make_request(), waiting);
  REQUIRE(worker.loop.run_until([&] { return silent.accepted() == 1; }));
  std::unique_ptr<origin::Transfer> next;
  first.at_head = [&] {
    victim.reset();
    next = worker.start(plain_endpoint(server.port()), make_request(), second);
  };
  const auto transfer = worker.start(plain_endpoint(server.port()), make_request(), first);
  REQUIRE(worker.loop.run_until([&] { return first.ended() && second.ended(); }));
  CHECK(first.complete);
  CHECK(second.complete);
  CHECK(!waiting.ended());
}

TEST_CASE("the client may go before its transfers") {
  RawOrigin silent([](Connection& connection) { connection.read_to_end(); });
  RawOrigin server(answer(std::string(kOk)));
  EpollLoop loop;
  RecordingSink sinks[4];
  std::vector<std::unique_ptr<origin::Transfer>> transfers;
  {
    origin::Client client(loop);
    const auto start = [&](std::uint16_t port, RecordingSink& sink) {
      transfers.push_back(client.start(shared(plain_endpoint(port)), make_request(), sink));
    };
    start(server.port(), sinks[0]);
    REQUIRE(loop.run_until([&] { return sinks[0].complete; }));
    start(silent.port(), sinks[1]);
    start(silent.port(), sinks[2]);
    REQUIRE(loop.run_until([&] { return silent.accepted() == 2; }));
    start(server.port(), sinks[3]);  // has not begun
    transfers[2].reset();            // cancelled, but still there
  }
  CHECK(loop.watches() == 0);
  for (auto& transfer : transfers) {
    if (transfer == nullptr) continue;
    transfer->resume();
    transfer->body_ready();
  }
  loop.turn_once();
  transfers.clear();
  loop.turn_once();
  CHECK(!sinks[1].ended());
  CHECK(!sinks[2].ended());
  CHECK(!sinks[3].ended());
}

TEST_CASE("many transfers at once, half of them cancelled at every stage") {
  RawOrigin server([](Connection& connection) {
    while (!connection.read_head().empty()) {
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n");
      if (!connection.send(std::string(30'000, 'x'))) return;
    }
  });
  OriginFixture worker;
  std::vector<RecordingSink> sinks(60);
  std::vector<std::unique_ptr<origin::Transfer>> transfers(sinks.size());
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    const auto cancel = [&transfers, i] { transfers[i].reset(); };
    if (i % 6 == 1) sinks[i].at_head = cancel;
    if (i % 6 == 3) {
      sinks[i].at_octets = [cancel] {
        cancel();
        return true;
      };
    }
    if (i % 6 == 5) sinks[i].at_end = cancel;
    transfers[i] = worker.start(plain_endpoint(server.port()), make_request(), sinks[i]);
  }
  REQUIRE(worker.loop.run_until([&] { return worker.client.transfers() == 0; }));
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    CHECK(sinks[i].complete == (i % 2 == 0 || i % 6 == 5));
    CHECK(!sinks[i].failure);
  }
}
