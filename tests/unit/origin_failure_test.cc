// SPDX-License-Identifier: MIT
// Responses that are not what their framing says, and origins that cannot be reached or fall
// silent.
#include <doctest/doctest.h>

#include "tests/support/full_backlog.h"
#include "tests/support/gate.h"
#include "tests/support/origin_fixture.h"

using namespace headgate;
using namespace headgate::test;
using origin::Failure;

namespace {

/// What comes of an origin that answers with `octets` and closes.
struct Outcome {
  explicit Outcome(const std::string& octets, const std::string& method = "GET")
      : origin([octets](Connection& connection) {
          connection.read_head();
          connection.send(octets);
        }) {
    ended = worker.exchange(plain_endpoint(origin.port()), make_request(method), sink);
  }

  RawOrigin origin;
  OriginFixture worker;
  RecordingSink sink;
  bool ended = false;
};

std::string head(const std::string& fields) { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n"; }

}  // namespace

TEST_CASE("a body shorter than its framing is incomplete, never a success") {
  for (const std::string& octets :
       {head("Content-Length: 10\r\n") + "abc", head("Content-Length: 10\r\n"),
        head("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n",
        head("Transfer-Encoding: chunked\r\n") + "5\r\nhel",
        head("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n",
        head("Transfer-Encoding: chunked\r\n")}) {
    CAPTURE(octets);
    const Outcome outcome(octets);
    REQUIRE(outcome.ended);
    CHECK(outcome.sink.heads == 1);
    CHECK(!outcome.sink.complete);
    CHECK(outcome.sink.failure == Failure::HttpResponseIncomplete);
    CHECK(outcome.sink.details.find("shop/main") != std::string::npos);
  }
}

TEST_CASE("a body that is reset is incomplete, also one that only the end of the connection ends") {
  for (const std::string fields :
       {"Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n", ""}) {
    CAPTURE(fields);
    Gate received;
    RawOrigin server([&](Connection& connection) {
      connection.read_head();
      connection.send(head(fields) + "5\r\n");
      received.wait();
      connection.reset();
    });
    OriginFixture worker;
    RecordingSink sink;
    sink.at_head = [&] { received.open(); };
    REQUIRE(worker.exchange(plain_endpoint(server.port()), make_request(), sink));
    CHECK(!sink.complete);
    CHECK(sink.failure == Failure::HttpResponseIncomplete);
  }
}

TEST_CASE("a body longer than Content-Length is a failure") {
  for (const std::string length : {"0", "3"}) {
    const Outcome outcome(head("Content-Length: " + length + "\r\n") + "abcdef");
    REQUIRE(outcome.ended);
    CHECK(!outcome.sink.complete);
    CHECK(outcome.sink.failure == Failure::HttpProtocolError);
  }
}

TEST_CASE("octets after a message that is complete never answer the next request") {
  // The method and the status say that there is no body, or the last chunk ended it: not a longer
  // one, but not to be read on.
  const std::string second = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
  for (const auto& answer : std::vector<std::pair<std::string, std::string>>{
           {"GET", "HTTP/1.1 304 Not Modified\r\n\r\n"},
           {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
           {"HEAD", head("Content-Length: 6\r\n")},
           {"GET", head("Transfer-Encoding: chunked\r\n") + "2\r\nok\r\n0\r\n\r\n"}}) {
    const std::string& method = answer.first;
    const std::string& octets = answer.second;
    CAPTURE(octets);
    RawOrigin server([&](Connection& connection) {
      while (!connection.read_head().empty()) {
        if (!connection.send(octets + second)) return;
      }
    });
    OriginFixture worker;
    for (int i = 0; i < 2; ++i) {
      RecordingSink sink;
      REQUIRE(worker.exchange(plain_endpoint(server.port()), make_request(method), sink));
      CHECK(sink.complete);
      CHECK(sink.body.find("poison") == std::string::npos);
    }
    CHECK(server.accepted() == 2);
  }
}

TEST_CASE("with a transfer coding that nobody knows the content is what comes until the end") {
  for (const std::string coding : {"identity", "x-unheard-of"}) {
    CAPTURE(coding);
    const Outcome outcome(head("Transfer-Encoding: " + coding + "\r\n") + "5\r\nhello");
    REQUIRE(outcome.ended);
    CHECK(outcome.sink.complete);
    CHECK(outcome.sink.body == "5\r\nhello");
  }
}

TEST_CASE("malformed chunks are a protocol error") {
  for (const std::string chunks : {"xyz\r\nhello\r\n0\r\n\r\n", "5\r\nhelloworld\r\n0\r\n\r\n",
                                   "ffffffffffffffffffff\r\nhello\r\n", "-1\r\nhello\r\n"}) {
    CAPTURE(chunks);
    const Outcome outcome(head("Transfer-Encoding: chunked\r\n") + chunks);
    REQUIRE(outcome.ended);
    CHECK(!outcome.sink.complete);
    CHECK(outcome.sink.failure == Failure::HttpProtocolError);
  }
}

TEST_CASE(
    "a head whose framing two readers could understand differently is refused before the sink "
    "hears of it") {
  const std::string body = "5\r\nhello\r\n0\r\n\r\n";
  for (const std::string fields :
       {"Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length : 5\r\n",
        "Content-Length: 5\r\n 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"}) {
    CAPTURE(fields);
    const Outcome outcome(head(fields) + body);
    REQUIRE(outcome.ended);
    CHECK(outcome.sink.heads == 0);
    CHECK(outcome.sink.failure == Failure::HttpProtocolError);
  }
}

TEST_CASE("a head that is no head is refused") {
  const std::string nul("X-A: b\0c\r\n", 10);
  for (const std::string& octets :
       {std::string("hello\r\n\r\n"), std::string("SSH-2.0-OpenSSH\r\n"), head("no colon here\r\n"),
        head("bad name: x\r\n"), head(": no name\r\n"), head(" folded at once\r\n"), head(nul),
        head("X-A: b\rc\r\n"),
        std::string("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        std::string("HTTP/1.1 abc\r\n\r\n"), std::string("HTTP/1.1 099 Low\r\n\r\n"),
        std::string("HTTP/1.1 100 Continue\r\n\r\n")}) {
    CAPTURE(octets);
    const Outcome outcome(octets);
    REQUIRE(outcome.ended);
    CHECK(outcome.sink.heads == 0);
    CHECK(!outcome.sink.complete);
    CHECK((outcome.sink.failure == Failure::HttpProtocolError ||
           outcome.sink.failure == Failure::ConnectionTerminated));
  }
}

TEST_CASE("128 field lines and 64 KiB of head pass, one more does not") {
  const auto with_lines = [](int lines) {
    std::string fields;
    for (int i = 0; i < lines - 1; ++i) fields += "X-" + std::to_string(i) + ": v\r\n";
    return head(fields + "Content-Length: 0\r\n");
  };
  CHECK(Outcome(with_lines(128)).sink.complete);
  CHECK(Outcome(with_lines(129)).sink.failure == Failure::HttpProtocolError);

  const auto of_size = [](std::size_t octets) {
    const std::string around = head("Content-Length: 0\r\nX-A: \r\n");
    return head("Content-Length: 0\r\nX-A: " + std::string(octets - around.size(), 'a') + "\r\n");
  };
  CHECK(of_size(65536).size() == 65536);
  CHECK(Outcome(of_size(65536)).sink.complete);
  CHECK(Outcome(of_size(65537)).sink.failure == Failure::HttpProtocolError);
}

TEST_CASE("interim responses without end are cut off") {
  RawOrigin server([](Connection& connection) {
    connection.read_head();
    while (connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")) {
    }
  });
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(plain_endpoint(server.port()), make_request(), sink));
  CHECK(sink.failure == Failure::HttpProtocolError);
}

TEST_CASE("a connection closed before the head is terminated") {
  for (const std::string octets : {"", "HTTP/1.1 200 OK\r\nX-A:"}) {
    const Outcome outcome(octets);
    REQUIRE(outcome.ended);
    CHECK(outcome.sink.failure == Failure::ConnectionTerminated);
    CHECK(outcome.origin.accepted() == 1);  // a connection of its own is not tried again
  }
}

TEST_CASE("a port where nobody listens refuses the connection") {
  const std::uint16_t port = RawOrigin([](Connection&) {}).port();
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(plain_endpoint(port), make_request(), sink));
  CHECK(sink.failure == Failure::ConnectionRefused);
}

TEST_CASE("a connection that is not made in time is a timeout, after every attempt") {
  const FullBacklog backlog;
  OriginFixture worker;
  RecordingSink sink;
  origin::Endpoint endpoint = plain_endpoint(backlog.port());
  endpoint.connect_timeout = Duration(20);
  endpoint.connection_attempts = 2;
  REQUIRE(worker.exchange(endpoint, make_request(), sink));
  CHECK(sink.failure == Failure::ConnectionTimeout);
  CHECK(origin::status_of(*sink.failure) == 504);
}

TEST_CASE("silence before the head, inside it and inside the body is a response timeout") {
  for (const std::string& octets : {std::string(), std::string("HTTP/1.1 200 OK\r\nX-A: "),
                                    head("Content-Length: 10\r\n") + "abc"}) {
    CAPTURE(octets);
    RawOrigin server([&](Connection& connection) {
      connection.read_head();
      connection.send(octets);
      connection.read_to_end();
    });
    OriginFixture worker;
    RecordingSink sink;
    origin::Endpoint endpoint = plain_endpoint(server.port());
    endpoint.read_timeout = Duration(30);
    REQUIRE(worker.exchange(endpoint, make_request(), sink));
    CHECK(sink.failure == Failure::HttpResponseTimeout);
    CHECK(worker.client.transfers() == 0);
  }
}

TEST_CASE("a response that keeps coming but never ends meets the completion timeout") {
  RawOrigin server([](Connection& connection) {
    connection.read_head();
    connection.send(head("Transfer-Encoding: chunked\r\n"));
    while (connection.send("1\r\nx\r\n")) {
    }
  });
  OriginFixture worker;
  RecordingSink sink;
  sink.keep_body = false;
  origin::Endpoint endpoint = plain_endpoint(server.port());
  endpoint.completion_timeout = Duration(500);
  REQUIRE(worker.exchange(endpoint, make_request(), sink));
  CHECK(sink.heads == 1);
  CHECK(sink.failure == Failure::HttpResponseTimeout);
}

TEST_CASE("every failure has a name of RFC 9209 and a status") {
  CHECK(origin::proxy_error(Failure::DnsTimeout) == "dns_timeout");
  CHECK(origin::proxy_error(Failure::TlsCertificateError) == "tls_certificate_error");
  CHECK(origin::proxy_error(Failure::HttpResponseIncomplete) == "http_response_incomplete");
  for (const Failure failure :
       {Failure::DnsTimeout, Failure::ConnectionTimeout, Failure::HttpResponseTimeout}) {
    CHECK(origin::status_of(failure) == 504);
  }
  for (const Failure failure :
       {Failure::DnsError, Failure::ConnectionRefused, Failure::HttpProtocolError}) {
    CHECK(origin::status_of(failure) == 502);
  }
}
