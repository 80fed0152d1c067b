// SPDX-License-Identifier: MIT
// Bodies that stream in both directions: pausing holds the other side up, and costs nobody a
// timeout.
#include <doctest/doctest.h>

#include <atomic>

#include "tests/support/gate.h"
#include "tests/support/origin_fixture.h"

using namespace headgate;
using namespace headgate::test;
using origin::Failure;

namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Octet `i` of every large body here.
char octet_at(std::size_t i) { return static_cast<char>('a' + i % 23); }

std::string piece(std::size_t from, std::size_t size) {
  std::string octets(size, '\0');
  for (std::size_t i = 0; i < size; ++i) octets[i] = octet_at(from + i);
  return octets;
}

bool is_pattern(std::string_view octets) {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (octets[i] != octet_at(i)) return false;
  }
  return true;
}

/// Sends a body of `size` octets, chunked or not, and opens `held_up` when the client takes no more
/// of it.
struct Pushing {
  Pushing(std::size_t size, bool chunked)
      : origin([this, size, chunked](Connection& connection) {
          connection.read_head();
          connection.send("HTTP/1.1 200 OK\r\n" +
                          (chunked ? std::string("Transfer-Encoding: chunked")
                                   : "Content-Length: " + std::to_string(size)) +
                          "\r\n\r\n");
          while (pushed < size) {
            const std::size_t count = std::min<std::size_t>(50'000, size - pushed);
            std::string octets = piece(pushed, count);
            if (chunked) {
              char line[16];
              std::snprintf(line, sizeof line, "%zx\r\n", count);
              octets = line + octets + "\r\n";
            }
            if (!connection.send_or_note(octets, [this] { held_up.open(); })) return;
            pushed += count;
          }
          if (chunked) connection.send("0\r\n\r\n");
          connection.read_to_end();
        }) {}

  std::atomic<std::size_t> pushed{0};
  Gate held_up;
  RawOrigin origin;
};

std::shared_ptr<ScriptedBody> upload(origin::Request& request,
                                     std::optional<std::uint64_t> length = std::nullopt) {
  auto body = std::make_shared<ScriptedBody>(length);
  request.body = body;
  return body;
}

/// Lets `duration` of the loop's time pass.
void pass(OriginFixture& worker, Duration duration) {
  worker.loop.turn_once();  // the loop's clock is that of its last turn
  bool rung = false;
  base::Timer timer(worker.loop.timers(), [&] { rung = true; });
  timer.schedule_after(duration);
  REQUIRE(worker.loop.run_until([&] { return rung; }));
}

}  // namespace

TEST_CASE(
    "a paused transfer holds the origin up after a bounded number of octets, and then goes on "
    "without losing one") {
  constexpr std::size_t kSize = 48u << 20;
  for (const bool chunked : {false, true}) {
    CAPTURE(chunked);
    Pushing server(kSize, chunked);
    OriginFixture worker;
    RecordingSink sink;
    bool pause = true;
    sink.at_octets = [&] { return !pause; };
    const auto transfer = worker.start(plain_endpoint(server.origin.port()), make_request(), sink);
    REQUIRE(worker.loop.run_until([&] { return server.held_up.is_open(); }));
    // One call: after "pause" there is no other before `resume`.
    CHECK(sink.octets > 0);
    CHECK(sink.octets <= 64 * 1024);
    // What else has left the origin is in the kernel's buffers and in one buffer of libcurl's.
    CHECK(server.pushed <= 12u << 20);
    pause = false;
    transfer->resume();
    REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
    CHECK(sink.complete);
    CHECK(sink.body.size() == kSize);
    CHECK(is_pattern(sink.body));
  }
}

TEST_CASE("pausing after every piece loses nothing and adds nothing") {
  for (const bool chunked : {false, true}) {
    Pushing server(3u << 20, chunked);
    OriginFixture worker;
    RecordingSink sink;
    std::unique_ptr<origin::Transfer> transfer;
    bool inside_resume = false;
    bool called_inside = false;
    bool paused = false;
    sink.at_octets = [&] {
      called_inside = called_inside || inside_resume;
      paused = true;
      return false;
    };
    transfer = worker.start(plain_endpoint(server.origin.port()), make_request(), sink);
    REQUIRE(worker.loop.run_until([&] {
      if (std::exchange(paused, false)) {
        inside_resume = true;
        transfer->resume();
        inside_resume = false;
      }
      return sink.ended();
    }));
    CHECK(sink.complete);
    CHECK(sink.body.size() == 3u << 20);
    CHECK(is_pattern(sink.body));
    CHECK(!called_inside);
  }
}

TEST_CASE("resume from inside on_octets wins over the pause that its result asks for") {
  Pushing server(3u << 20, false);
  OriginFixture worker;
  RecordingSink sink;
  std::unique_ptr<origin::Transfer> transfer;
  sink.at_octets = [&] {
    transfer->resume();
    return false;
  };
  transfer = worker.start(plain_endpoint(server.origin.port()), make_request(), sink);
  REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
  CHECK(sink.complete);
}

TEST_CASE("a pause does not run into the read timeout, silence after it does") {
  Gate resumed;
  RawOrigin server([&](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    resumed.wait();
    connection.send("d");
    connection.read_to_end();
  });
  OriginFixture worker;
  RecordingSink sink;
  sink.at_octets = [&] { return sink.octets > 3; };
  origin::Endpoint endpoint = plain_endpoint(server.port());
  endpoint.read_timeout = Duration(1500);  // the first octets must make it on a busy machine
  const auto transfer = worker.start(endpoint, make_request(), sink);
  REQUIRE(worker.loop.run_until([&] { return sink.octets == 3; }));
  pass(worker, Duration(2000));
  CHECK(!sink.ended());
  resumed.open();
  transfer->resume();
  REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
  CHECK(sink.failure == Failure::HttpResponseTimeout);
}

TEST_CASE("a request body of unknown length goes up in chunks as it comes") {
  Gate first_part_read;
  std::string head;
  std::string tail;
  RawOrigin server([&](Connection& connection) {
    head = connection.read_head();
    CHECK(connection.read_octets(8) == "3\r\nabc\r\n");
    first_part_read.open();
    tail = connection.read_octets(12);
    connection.send(kOk);
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Request request = make_request("POST", "/upload");
  const auto body = upload(request);
  const auto transfer = worker.start(plain_endpoint(server.port()), std::move(request), sink);
  body->add("abc");
  transfer->body_ready();
  // The second part exists only after the first has arrived.
  REQUIRE(worker.loop.run_until([&] { return first_part_read.is_open(); }));
  body->add("de");
  body->end();
  transfer->body_ready();
  REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
  CHECK(sink.complete);
  CHECK(tail == "2\r\nde\r\n0\r\n\r\n");
  CHECK(head == "POST /upload HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("a large request body of known length goes up whole, and nobody is asked to continue") {
  constexpr std::size_t kSize = 5u << 20;
  std::string head;
  std::string received;
  RawOrigin server([&](Connection& connection) {
    head = connection.read_head();
    received = connection.read_octets(kSize);
    connection.send(kOk);
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Request request = make_request("PUT", "/upload", {{"content-type", "text/plain"}});
  const auto body = upload(request, kSize);
  body->add(piece(0, kSize));
  body->end();
  REQUIRE(worker.exchange(plain_endpoint(server.port()), std::move(request), sink));
  CHECK(sink.complete);
  CHECK(received.size() == kSize);
  CHECK(is_pattern(received));
  CHECK(head ==
        "PUT /upload HTTP/1.1\r\nHost: shop.test\r\ncontent-type: text/plain\r\n"
        "Content-Length: 5242880\r\n\r\n");
}

TEST_CASE("a body without octets is sent as one") {
  for (const bool known : {true, false}) {
    std::string head;
    RawOrigin server([&](Connection& connection) {
      head = connection.read_head();
      if (!known) CHECK(connection.read_octets(5) == "0\r\n\r\n");
      connection.send(kOk);
    });
    OriginFixture worker;
    RecordingSink sink;
    origin::Request request = make_request("POST");
    upload(request, known ? std::optional<std::uint64_t>(0) : std::nullopt)->end();
    REQUIRE(worker.exchange(plain_endpoint(server.port()), std::move(request), sink));
    CHECK(sink.complete);
    CHECK((head.find("Content-Length: 0\r\n") != std::string::npos) == known);
  }
}

TEST_CASE("a GET may have a body") {
  std::string received;
  RawOrigin server([&](Connection& connection) {
    received = connection.read_head();
    received += connection.read_octets(3);
    connection.send(kOk);
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Request request = make_request("GET", "/search");
  const auto body = upload(request, 3);
  body->add("abc");
  body->end();
  REQUIRE(worker.exchange(plain_endpoint(server.port()), std::move(request), sink));
  CHECK(sink.body == "ok");
  CHECK(received == "GET /search HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\nabc");
}

TEST_CASE("an origin that does not read stops the body from being pulled") {
  Gate read_on;
  RawOrigin server([&](Connection& connection) {
    connection.read_head();
    read_on.wait();
    connection.read_octets(32u << 20);
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Request request = make_request("PUT");
  const auto body = upload(request, 32u << 20);
  body->add(piece(0, 32u << 20));
  body->end();
  auto transfer = worker.start(plain_endpoint(server.port()), std::move(request), sink);
  // It stands still when a fifth of a second of the loop's time has moved nothing.
  std::size_t before = 1;
  while (before != body->pulled) {
    before = body->pulled;
    pass(worker, Duration(200));
  }
  CHECK(body->pulled > 0);
  CHECK(body->pulled < 24u << 20);
  read_on.open();
  REQUIRE(worker.loop.run_until([&] { return body->pulled > before + (1u << 20); }));
  transfer.reset();  // that a whole one arrives is another test's
}

TEST_CASE(
    "waiting for the viewer's octets does not run into the read timeout, waiting for the origin's "
    "answer does") {
  RawOrigin server([&](Connection& connection) { connection.read_to_end(); });
  OriginFixture worker;
  RecordingSink sink;
  origin::Request request = make_request("POST");
  const auto body = upload(request);
  origin::Endpoint endpoint = plain_endpoint(server.port());
  endpoint.read_timeout = Duration(40);
  const auto transfer = worker.start(endpoint, std::move(request), sink);
  body->add("abc");
  transfer->body_ready();
  REQUIRE(worker.loop.run_until([&] { return body->drained(); }));
  pass(worker, Duration(200));
  CHECK(!sink.ended());
  body->end();
  transfer->body_ready();
  REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
  CHECK(sink.failure == Failure::HttpResponseTimeout);
}

TEST_CASE("a body that is not as long as announced fails as a request error") {
  for (const std::string octets : {"ab", "abcd"}) {
    RawOrigin server([&](Connection& connection) { connection.read_to_end(); });
    OriginFixture worker;
    RecordingSink sink;
    origin::Request request = make_request("POST");
    const auto body = upload(request, 3);
    body->add(octets);
    body->end();
    REQUIRE(worker.exchange(plain_endpoint(server.port()), std::move(request), sink));
    CHECK(sink.failure == Failure::HttpRequestError);
  }
}

TEST_CASE("a refusal that comes before the whole body was sent is heard") {
  RawOrigin server([&](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    connection.read_to_end();
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Request request = make_request("POST");
  upload(request)->add("never finished");
  REQUIRE(worker.exchange(plain_endpoint(server.port()), std::move(request), sink));
  CHECK(sink.complete);
  CHECK(sink.status == 413);
  CHECK(sink.body == "big");
}

TEST_CASE("a response passes while its request is still being sent") {
  Gate sent;
  RawOrigin server([&](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; ++i) {
      connection.read_octets(6);  // one chunk of one octet
      connection.send("1\r\nx\r\n");
    }
    connection.read_octets(5);
    connection.send("0\r\n\r\n");
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Request request = make_request("POST");
  const auto body = upload(request);
  const auto transfer = worker.start(plain_endpoint(server.port()), std::move(request), sink);
  for (std::size_t i = 0; i < 3; ++i) {
    body->add("y");
    transfer->body_ready();
    REQUIRE(worker.loop.run_until([&] { return sink.octets == i + 1; }));
  }
  body->end();
  transfer->body_ready();
  REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
  CHECK(sink.complete);
  CHECK(sink.body == "xxx");
}

TEST_CASE("octets that came while the loop was held up are looked at before silence is declared") {
  Gate asked;
  Gate answer;
  Gate answered;
  RawOrigin server([&](Connection& connection) {
    connection.read_head();
    asked.open();
    answer.wait();
    connection.send(kOk);
    answered.open();
    connection.read_to_end();
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Endpoint endpoint = plain_endpoint(server.port());
  endpoint.read_timeout = Duration(2000);
  const auto transfer = worker.start(endpoint, make_request(), sink);
  REQUIRE(worker.loop.run_until([&] { return asked.is_open(); }));
  pass(worker,
       Duration(
           300));  // libcurl's timers of connecting, which would look at the socket too, are over
  // From here on the loop does not turn until the timeout has passed and the answer is there.
  answer.open();
  REQUIRE(answered.wait());
  std::this_thread::sleep_for(endpoint.read_timeout + Duration(10));
  REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
  CHECK(sink.complete);
}
