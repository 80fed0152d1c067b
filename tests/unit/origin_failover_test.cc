// SPDX-License-Identifier: MIT
// Which member of an origin group answers.
#include <doctest/doctest.h>

#include "appliance/origin/failover.h"
#include "tests/support/full_backlog.h"
#include "tests/support/gate.h"
#include "tests/support/origin_fixture.h"

using namespace headgate;
using namespace headgate::test;
using origin::Failure;

namespace {

std::string response(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

RawOrigin::Script answer(int status, std::string body) {
  return [text = response(status, body)](Connection& connection) {
    while (!connection.read_head().empty()) {
      if (!connection.send(text)) return;
    }
  };
}

/// A port where nobody listens.
std::uint16_t closed_port() {
  return RawOrigin([](Connection&) {}).port();
}

struct GroupFetch {
  explicit GroupFetch(std::vector<origin::Endpoint> endpoints,
                      std::vector<int> codes = {500, 503}) {
    auto built = std::make_shared<origin::Group>();
    built->id = "shop/group";
    built->failover_status_codes = std::move(codes);
    for (const origin::Endpoint& endpoint : endpoints) {
      built->members.push_back({shared(endpoint), built->members.size()});
    }
    group = built;
  }
  bool run(const std::string& method = "GET", std::shared_ptr<origin::RequestBody> body = nullptr) {
    make(method, std::move(body));
    fetch->start();
    return worker.loop.run_until([&] { return sink.ended(); });
  }
  void make(const std::string& method, std::shared_ptr<origin::RequestBody> body = nullptr) {
    fetch = std::make_unique<origin::Fetch>(
        worker.client, worker.loop, group, method,
        [this, method, body](const origin::Group::Member& member) {
          built_for.push_back(member.index);
          origin::Request request = make_request(method);
          request.body = body;
          return request;
        },
        sink);
  }

  OriginFixture worker;
  RecordingSink sink;
  std::shared_ptr<const origin::Group> group;
  std::vector<std::size_t> built_for;
  std::unique_ptr<origin::Fetch> fetch;
};

}  // namespace

TEST_CASE("the first member answers when it can") {
  RawOrigin first(answer(200, "first"));
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.body == "first");
  CHECK(fetch.fetch->attempted().member->index == 0);
  CHECK(fetch.fetch->attempted().attempts == 1);
  CHECK(!fetch.fetch->attempted().failed_over);
  CHECK(second.accepted() == 0);
}

TEST_CASE(
    "a status code of the criteria goes on to the next member, whose answer is the only one "
    "heard") {
  RawOrigin first(answer(503, "down"));
  RawOrigin second(answer(200, "second"));
  for (const std::string method : {"GET", "HEAD", "OPTIONS"}) {
    GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
    REQUIRE(fetch.run(method));
    CHECK(fetch.sink.complete);
    CHECK(fetch.sink.heads == 1);
    CHECK(fetch.sink.status == 200);
    CHECK(fetch.fetch->attempted().member->index == 1);
    CHECK(fetch.fetch->attempted().attempts == 2);
    CHECK(fetch.fetch->attempted().failed_over);
    CHECK(fetch.built_for == std::vector<std::size_t>{0, 1});
  }
}

TEST_CASE("a status code outside the criteria is the answer") {
  RawOrigin first(answer(404, "not here"));
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.status == 404);
  CHECK(fetch.sink.body == "not here");
  CHECK(second.accepted() == 0);
}

TEST_CASE("429 fails over where it is listed") {
  RawOrigin first(answer(429, "busy"));
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())}, {429});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.body == "second");
}

TEST_CASE("the last member's answer passes whatever it is") {
  RawOrigin first(answer(503, "first"));
  RawOrigin second(answer(500, "second"));
  RawOrigin third(answer(503, "third"));
  GroupFetch fetch(
      {plain_endpoint(first.port()), plain_endpoint(second.port()), plain_endpoint(third.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.complete);
  CHECK(fetch.sink.status == 503);
  CHECK(fetch.sink.body == "third");
  CHECK(fetch.fetch->attempted().attempts == 3);
}

TEST_CASE("a refused connection, a connect timeout and silence before the head go on") {
  const FullBacklog backlog;
  RawOrigin silent([](Connection& connection) { connection.read_to_end(); });
  RawOrigin garbage([](Connection& connection) {
    connection.read_head();
    connection.send("not http at all\r\n\r\n");
  });
  RawOrigin hangs_up([](Connection& connection) { connection.read_head(); });
  RawOrigin good(answer(200, "good"));

  origin::Endpoint refused = plain_endpoint(closed_port());
  origin::Endpoint unreachable = plain_endpoint(backlog.port());
  unreachable.connect_timeout = Duration(20);
  unreachable.connection_attempts = 2;
  origin::Endpoint mute = plain_endpoint(silent.port());
  mute.read_timeout = Duration(20);
  for (const origin::Endpoint& bad : {refused, unreachable, mute, plain_endpoint(garbage.port()),
                                      plain_endpoint(hangs_up.port())}) {
    GroupFetch fetch({bad, plain_endpoint(good.port())});
    REQUIRE(fetch.run());
    CHECK(fetch.sink.complete);
    CHECK(fetch.sink.body == "good");
    CHECK(fetch.fetch->attempted().failed_over);
  }
}

TEST_CASE("when every member fails the last failure is told") {
  RawOrigin silent([](Connection& connection) { connection.read_to_end(); });
  origin::Endpoint mute = plain_endpoint(silent.port());
  mute.read_timeout = Duration(20);
  GroupFetch fetch({plain_endpoint(closed_port()), mute});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.heads == 0);
  CHECK(fetch.sink.failure == Failure::HttpResponseTimeout);
  CHECK(fetch.fetch->attempted().attempts == 2);
}

TEST_CASE("other methods, and bodies, stay with the first member") {
  RawOrigin first(answer(503, "first"));
  RawOrigin second(answer(200, "second"));
  for (const std::string method : {"POST", "PUT", "DELETE", "get"}) {
    GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
    REQUIRE(fetch.run(method));
    CHECK(fetch.sink.status == 503);
  }
  GroupFetch refused({plain_endpoint(closed_port()), plain_endpoint(second.port())});
  REQUIRE(refused.run("POST"));
  CHECK(refused.sink.failure == Failure::ConnectionRefused);

  auto body = std::make_shared<ScriptedBody>(3);
  body->add("abc");
  body->end();
  GroupFetch with_body({plain_endpoint(closed_port()), plain_endpoint(second.port())});
  REQUIRE(with_body.run("GET", body));
  CHECK(with_body.sink.failure == Failure::ConnectionRefused);
  CHECK(second.accepted() == 0);
}

TEST_CASE("a body that is lost after the head was passed on is not begun again elsewhere") {
  RawOrigin first([](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  });
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.heads == 1);
  CHECK(fetch.sink.failure == Failure::HttpResponseIncomplete);
  CHECK(second.accepted() == 0);
}

TEST_CASE("the body of an unwanted response is not read to its end") {
  Gate gone;
  RawOrigin first([&](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "8000\r\n" + std::string(0x8000, 'x') + "\r\n";
    while (connection.send(chunk)) {  // without end
    }
    gone.open();
  });
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.body == "second");
  REQUIRE(fetch.worker.loop.run_until([&] { return gone.is_open(); }));
  CHECK(fetch.worker.client.transfers() == 0);
}

TEST_CASE("a fetch may be destroyed while its first member is being given up") {
  RawOrigin first(answer(503, "first"));
  RawOrigin second([](Connection& connection) { connection.read_to_end(); });
  GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
  fetch.make("GET");
  fetch.fetch->start();
  REQUIRE(fetch.worker.loop.run_until([&] { return second.accepted() == 1; }));
  fetch.fetch.reset();
  REQUIRE(fetch.worker.loop.run_until([&] { return fetch.worker.client.transfers() == 0; }));
  CHECK(!fetch.sink.ended());
}

TEST_CASE("a fetch may be destroyed by its sink, at the head and at the end") {
  RawOrigin server(answer(200, "body"));
  for (const bool at_head : {true, false}) {
    GroupFetch fetch({plain_endpoint(server.port())});
    fetch.make("GET");
    (at_head ? fetch.sink.at_head : fetch.sink.at_end) = [&] { fetch.fetch.reset(); };
    fetch.fetch->start();
    REQUIRE(fetch.worker.loop.run_until(
        [&] { return fetch.fetch == nullptr && fetch.worker.client.transfers() == 0; }));
    CHECK(fetch.sink.heads == 1);
    CHECK(fetch.sink.complete == !at_head);
  }
}

TEST_CASE("a group without members fails later, not inside start") {
  GroupFetch fetch({});
  fetch.make("GET");
  fetch.fetch->start();
  CHECK(!fetch.sink.ended());
  REQUIRE(fetch.worker.loop.run_until([&] { return fetch.sink.ended(); }));
  CHECK(fetch.sink.failure == Failure::Internal);
}

TEST_CASE("a member that dies between its head and its content is passed over") {
  RawOrigin first([](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  });
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.body == "second");
  CHECK(fetch.sink.heads == 1);
  CHECK(fetch.fetch->attempted().failed_over);
}

TEST_CASE("content that breaks off is a failure: what was passed on cannot be taken back") {
  RawOrigin first([](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nfir");
  });
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch({plain_endpoint(first.port()), plain_endpoint(second.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.failure == Failure::HttpResponseIncomplete);
  CHECK(second.accepted() == 0);
}

namespace {

/// An endpoint that is down as its latch knows.
origin::Endpoint down(origin::Endpoint endpoint, Duration probe_every) {
  endpoint.latch = std::make_shared<origin::Latch>(
      origin::Latch::Options{.failures = 1, .probe_every = probe_every});
  endpoint.latch->failed(base::mono_now());
  return endpoint;
}

}  // namespace

TEST_CASE("failures in a row make a member known to be down, and an answer makes it well") {
  RawOrigin second(answer(200, "second"));
  origin::Endpoint dead = plain_endpoint(closed_port());
  dead.latch = std::make_shared<origin::Latch>(origin::Latch::Options{.failures = 2});
  for (const bool sick : {false, true}) {
    GroupFetch fetch({dead, plain_endpoint(second.port())});
    REQUIRE(fetch.run());
    CHECK(dead.latch->is_sick() == sick);
  }
  RawOrigin first(answer(200, "first"));
  origin::Endpoint revived = plain_endpoint(first.port());
  revived.latch = dead.latch;
  GroupFetch fetch({revived});
  REQUIRE(fetch.run());
  CHECK_FALSE(dead.latch->is_sick());
}

TEST_CASE("a status that tells of sickness counts, others do not") {
  for (const int status : {500, 502, 503, 504, 501, 404, 429}) {
    CAPTURE(status);
    RawOrigin only(answer(status, "x"));
    origin::Endpoint endpoint = plain_endpoint(only.port());
    endpoint.latch = std::make_shared<origin::Latch>(origin::Latch::Options{.failures = 1});
    GroupFetch fetch({endpoint});
    REQUIRE(fetch.run());
    CHECK(endpoint.latch->is_sick() == (status != 501 && status >= 500));
  }
}

TEST_CASE("a member that is down is not asked while another is not") {
  RawOrigin first(answer(200, "first"));
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch(
      {down(plain_endpoint(first.port()), std::chrono::hours(1)), plain_endpoint(second.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.body == "second");
  CHECK(fetch.fetch->attempted().failed_over);
  CHECK(fetch.fetch->attempted().attempts == 1);
  CHECK(first.accepted() == 0);
}

TEST_CASE("when it is due a member that is down is asked beside the request") {
  RawOrigin first(answer(200, ""));
  RawOrigin second(answer(200, "second"));
  const origin::Endpoint sick = down(plain_endpoint(first.port()), Duration::zero());
  GroupFetch fetch({sick, plain_endpoint(second.port())});
  REQUIRE(fetch.run());
  CHECK(fetch.sink.body == "second");
  REQUIRE(fetch.worker.loop.run_until([&] { return !sick.latch->is_sick(); }));
  CHECK(first.accepted() == 1);
}

TEST_CASE("when all members are down the first is asked as ever") {
  RawOrigin first(answer(200, "first"));
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch({down(plain_endpoint(first.port()), std::chrono::hours(1)),
                    down(plain_endpoint(second.port()), std::chrono::hours(1))});
  CHECK(fetch.group->is_sick());
  REQUIRE(fetch.run());
  CHECK(fetch.sink.body == "first");
}

TEST_CASE("a request that may not go to another member goes to the first, down or not") {
  RawOrigin first(answer(200, "first"));
  RawOrigin second(answer(200, "second"));
  GroupFetch fetch(
      {down(plain_endpoint(first.port()), std::chrono::hours(1)), plain_endpoint(second.port())});
  REQUIRE(fetch.run("POST"));
  CHECK(fetch.sink.body == "first");
}
