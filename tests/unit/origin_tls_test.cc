// SPDX-License-Identifier: MIT
// Origins over TLS: whom we trust, what we call them, which versions we speak, and HTTP/2 where
// they want it.
#include <doctest/doctest.h>

#include <atomic>

#include "tests/support/gate.h"
#include "tests/support/http2_origin.h"
#include "tests/support/origin_fixture.h"

using namespace headgate;
using namespace headgate::test;
using origin::Failure;

namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Speaks HTTP/1.1 over TLS; remembers SNI and heads.
struct TlsOrigin {
  explicit TlsOrigin(const std::string& names, RawOrigin::Options options = {})
      : certificate(make_certificate(names)), origin(with(options), [this](Connection& connection) {
          for (;;) {
            const std::string head = connection.read_head();
            if (head.empty()) return;
            {
              base::MutexLock lock(mutex);
              sni = connection.sni();
              last_head = head;
            }
            if (!connection.send(kOk)) return;
          }
        }) {}
  RawOrigin::Options with(RawOrigin::Options options) {
    options.certificate = &certificate;
    return options;
  }
  origin::Endpoint endpoint() const {
    origin::Endpoint endpoint = plain_endpoint(origin.port());
    endpoint.ca_bundle_pem = certificate.certificate_pem;
    return endpoint;
  }
  std::string seen_sni() {
    base::MutexLock lock(mutex);
    return sni;
  }
  std::string seen_head() {
    base::MutexLock lock(mutex);
    return last_head;
  }

  Certificate certificate;
  base::Mutex mutex;
  std::string sni GUARDED_BY(mutex);
  std::string last_head GUARDED_BY(mutex);
  RawOrigin origin;
};

origin::Request secure_request(std::string method = "GET", std::string target = "/") {
  origin::Request request = make_request(std::move(method), std::move(target));
  request.scheme = origin::Scheme::Https;
  return request;
}

}  // namespace

TEST_CASE("an address is verified as an address, without SNI") {
  TlsOrigin server("IP:127.0.0.1");
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(server.endpoint(), secure_request(), sink));
  CHECK(sink.complete);
  CHECK(sink.body == "ok");
  CHECK(server.seen_sni().empty());
}

TEST_CASE("the name to ask for and to verify, the address and the Host field are three things") {
  TlsOrigin server("DNS:internal.test");
  OriginFixture worker;
  RecordingSink sink;
  origin::Endpoint endpoint = server.endpoint();
  endpoint.sni = "internal.test";
  REQUIRE(worker.exchange(endpoint, secure_request("GET", "/p"), sink));
  CHECK(sink.complete);
  CHECK(server.seen_sni() == "internal.test");
  CHECK(server.seen_head() == "GET /p HTTP/1.1\r\nHost: shop.test\r\n\r\n");
}

TEST_CASE(
    "a certificate for another name, or from nobody we trust, is a certificate error and not tried "
    "again") {
  TlsOrigin server("DNS:internal.test");
  const Certificate other = make_certificate("DNS:internal.test");
  OriginFixture worker;
  origin::Endpoint wrong_name = server.endpoint();
  wrong_name.sni = "elsewhere.test";
  origin::Endpoint wrong_address = server.endpoint();
  origin::Endpoint wrong_issuer = server.endpoint();
  wrong_issuer.sni = "internal.test";
  wrong_issuer.ca_bundle_pem = other.certificate_pem;
  origin::Endpoint system_bundle = wrong_issuer;
  system_bundle.ca_bundle_pem.clear();
  int connections = 0;
  for (const origin::Endpoint& endpoint :
       {wrong_name, wrong_address, wrong_issuer, system_bundle}) {
    RecordingSink sink;
    REQUIRE(worker.exchange(endpoint, secure_request(), sink));
    CHECK(sink.failure == Failure::TlsCertificateError);
    CHECK(server.origin.accepted() == ++connections);
  }
  CHECK(server.seen_head().empty());
}

TEST_CASE("verification can be turned off, and its connections are not shared with who wants it") {
  TlsOrigin server("DNS:internal.test");
  OriginFixture worker;
  origin::Endpoint lax = server.endpoint();
  lax.sni = "elsewhere.test";
  lax.verify = false;
  RecordingSink first;
  REQUIRE(worker.exchange(lax, secure_request(), first));
  CHECK(first.complete);

  origin::Endpoint strict = lax;
  strict.verify = true;
  RecordingSink second;
  REQUIRE(worker.exchange(strict, secure_request(), second));
  CHECK(second.failure == Failure::TlsCertificateError);

  RecordingSink third;
  REQUIRE(worker.exchange(lax, secure_request(), third));
  CHECK(third.complete);
  CHECK(server.origin.accepted() == 2);  // lax, strict, and the first once more
}

TEST_CASE("TLS connections are used again, other trust makes another one") {
  TlsOrigin server("IP:127.0.0.1");
  OriginFixture worker;
  for (int i = 0; i < 3; ++i) {
    RecordingSink sink;
    REQUIRE(worker.exchange(server.endpoint(), secure_request(), sink));
    CHECK(sink.complete);
  }
  CHECK(server.origin.accepted() == 1);
  origin::Endpoint more = server.endpoint();
  more.ca_bundle_pem += make_certificate("DNS:other.test").certificate_pem;
  RecordingSink sink;
  REQUIRE(worker.exchange(more, secure_request(), sink));
  CHECK(sink.complete);
  CHECK(server.origin.accepted() == 2);
}

TEST_CASE("the versions of TLS offered are those configured") {
  RawOrigin::Options only_12;
  only_12.max_tls = TLS1_2_VERSION;
  RawOrigin::Options only_13;
  only_13.min_tls = TLS1_3_VERSION;
  RawOrigin::Options only_11;
  only_11.min_tls = TLS1_1_VERSION;
  only_11.max_tls = TLS1_1_VERSION;
  struct Case {
    RawOrigin::Options server;
    std::string min;
    std::string max;
    bool works;
  };
  for (const Case& c : {Case{only_12, "", "", true}, Case{only_12, "1.2", "1.3", true},
                        Case{only_12, "1.3", "", false}, Case{only_13, "1.3", "1.3", true},
                        Case{only_13, "1.2", "1.2", false}, Case{only_11, "1.2", "", false},
                        Case{only_11, "", "", false}, Case{only_11, "1.1", "", true}}) {
    CAPTURE(c.min);
    CAPTURE(c.max);
    TlsOrigin server("IP:127.0.0.1", c.server);
    OriginFixture worker;
    RecordingSink sink;
    origin::Endpoint endpoint = server.endpoint();
    endpoint.min_tls = c.min;
    endpoint.max_tls = c.max;
    REQUIRE(worker.exchange(endpoint, secure_request(), sink));
    CHECK(sink.complete == c.works);
    if (!c.works) CHECK(sink.failure == Failure::TlsProtocolError);
  }
}

TEST_CASE(
    "an origin that speaks no TLS, or ends the handshake, is tried as often as connecting is") {
  RawOrigin plain([](Connection& connection) { connection.send("HTTP/1.1 400 Bad\r\n\r\n"); });
  RawOrigin closing([](Connection&) {});
  for (RawOrigin* server : {&plain, &closing}) {
    OriginFixture worker;
    RecordingSink sink;
    origin::Endpoint endpoint = plain_endpoint(server->port());
    endpoint.connection_attempts = 2;
    REQUIRE(worker.exchange(endpoint, secure_request(), sink));
    CHECK(sink.failure == Failure::TlsProtocolError);
    CHECK(server->accepted() == 2);
  }
}

TEST_CASE("a handshake that stands still is a connect timeout") {
  RawOrigin silent([](Connection& connection) { connection.read_to_end(); });
  OriginFixture worker;
  RecordingSink sink;
  origin::Endpoint endpoint = plain_endpoint(silent.port());
  endpoint.connect_timeout = Duration(30);
  endpoint.connection_attempts = 3;
  REQUIRE(worker.exchange(endpoint, secure_request(), sink));
  CHECK(sink.failure == Failure::ConnectionTimeout);
  // The kernel has taken the connections; the origin's thread may still be on its way to them.
  CHECK(worker.loop.run_until([&] { return silent.accepted() == 3; }));
}

TEST_CASE("a body that only the end of the connection ends needs a proper end of TLS") {
  const Certificate certificate = make_certificate("IP:127.0.0.1");
  for (const bool proper : {true, false}) {
    RawOrigin::Options options;
    options.certificate = &certificate;
    RawOrigin server(options, [proper](Connection& connection) {
      connection.read_head();
      connection.send("HTTP/1.1 200 OK\r\n\r\nhalf a body?");
      if (proper) connection.finish();
    });
    OriginFixture worker;
    RecordingSink sink;
    origin::Endpoint endpoint = plain_endpoint(server.port());
    endpoint.ca_bundle_pem = certificate.certificate_pem;
    REQUIRE(worker.exchange(endpoint, secure_request(), sink));
    CHECK(sink.complete == proper);
    if (!proper) CHECK(sink.failure == Failure::HttpResponseIncomplete);
  }
}

TEST_CASE("HTTP/1.1 is spoken over TLS where the origin chooses it") {
  RawOrigin::Options options;
  options.alpn = {"http/1.1"};
  TlsOrigin server("IP:127.0.0.1", options);
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(server.endpoint(), secure_request(), sink));
  CHECK(sink.body == "ok");
}

namespace {

/// An origin that wants HTTP/2; the script gets each connection after its preface.
struct Http2Origin {
  explicit Http2Origin(std::function<void(Http2Server&, Connection&)> script)
      : certificate(make_certificate("IP:127.0.0.1")),
        origin(options(), [script = std::move(script)](Connection& connection) {
          if (connection.alpn() != "h2") return;
          Http2Server server(connection);
          if (server.open()) script(server, connection);
        }) {}
  RawOrigin::Options options() {
    RawOrigin::Options options;
    options.certificate = &certificate;
    options.alpn = {"h2", "http/1.1"};
    return options;
  }
  origin::Endpoint endpoint() const {
    origin::Endpoint endpoint = plain_endpoint(origin.port());
    endpoint.ca_bundle_pem = certificate.certificate_pem;
    return endpoint;
  }

  Certificate certificate;
  RawOrigin origin;
};

}  // namespace

TEST_CASE(
    "HTTP/2 is spoken where the origin chooses it, one request after the other on a connection") {
  std::atomic<int> requests{0};
  Http2Origin server([&](Http2Server& http2, Connection&) {
    for (;;) {
      const auto request = http2.read_request();
      if (request.stream == 0) return;
      ++requests;
      http2.send_head(request.stream, {{"x-one", "a"}, {"content-length", "5"}}, false);
      http2.send_data(request.stream, "hello", true);
    }
  });
  OriginFixture worker;
  for (int i = 0; i < 3; ++i) {
    RecordingSink sink;
    REQUIRE(worker.exchange(server.endpoint(), secure_request(), sink));
    CHECK(sink.complete);
    CHECK(sink.status == 200);
    CHECK(sink.content_length == 5);
    CHECK(sink.body == "hello");
    CHECK(sink.values("x-one") == std::vector<std::string>{"a"});
  }
  CHECK(requests == 3);
  CHECK(server.origin.accepted() == 1);
}

TEST_CASE(
    "HTTP/2 requests at the same time have a connection each, so that none waits for another's "
    "reader") {
  Gate both;
  Http2Origin server([&](Http2Server& http2, Connection&) {
    const auto request = http2.read_request();
    both.wait();
    http2.send_head(request.stream, {}, true);
    http2.read_request();
  });
  OriginFixture worker;
  RecordingSink first;
  RecordingSink second;
  const auto one = worker.start(server.endpoint(), secure_request(), first);
  REQUIRE(worker.loop.run_until([&] { return server.origin.accepted() == 1; }));
  const auto two = worker.start(server.endpoint(), secure_request(), second);
  CHECK(worker.loop.run_until([&] { return server.origin.accepted() == 2; }, Duration(20'000)));
  both.open();
  REQUIRE(worker.loop.run_until([&] { return first.ended() && second.ended(); }));
  CHECK(first.complete);
  CHECK(second.complete);
}

TEST_CASE("HTTP/2 bodies stream up, of unknown length too") {
  Gate first_part;
  std::string received;
  Http2Origin server([&](Http2Server& http2, Connection&) {
    const auto request = http2.read_request();
    received = request.body;
    http2.send_head(request.stream, {}, true);
    http2.read_request();
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Request request = secure_request("POST");
  const auto body = std::make_shared<ScriptedBody>();
  request.body = body;
  const auto transfer = worker.start(server.endpoint(), std::move(request), sink);
  body->add("abc");
  transfer->body_ready();
  REQUIRE(worker.loop.run_until([&] { return body->drained(); }));
  body->add(std::string(300'000, 'x'));
  body->end();
  transfer->body_ready();
  REQUIRE(worker.loop.run_until([&] { return sink.ended(); }));
  CHECK(sink.complete);
  CHECK(received == "abc" + std::string(300'000, 'x'));
}

TEST_CASE("an HTTP/2 stream that is reset, cut off or shorter than its length is no success") {
  enum class Way { Reset, Cut, CutWithoutLength, CutProperly, Short };
  for (const Way way :
       {Way::Reset, Way::Cut, Way::CutWithoutLength, Way::CutProperly, Way::Short}) {
    CAPTURE(static_cast<int>(way));
    Http2Origin server([way](Http2Server& http2, Connection& connection) {
      const auto request = http2.read_request();
      std::map<std::string, std::string> fields;
      if (way == Way::Cut || way == Way::Short) fields["content-length"] = "10";
      http2.send_head(request.stream, fields, false);
      http2.send_data(request.stream, "hello", way == Way::Short);
      if (way == Way::Reset) http2.send_reset(request.stream, 2);
      if (way == Way::CutProperly) connection.finish();
      if (way == Way::Reset || way == Way::Short) http2.read_request();
    });
    OriginFixture worker;
    RecordingSink sink;
    REQUIRE(worker.exchange(server.endpoint(), secure_request(), sink));
    CHECK(!sink.complete);
    CHECK(sink.failure.has_value());
  }
}

TEST_CASE("a paused HTTP/2 transfer holds its origin up, and no other transfer") {
  constexpr std::size_t kSize = 100u << 20;
  std::atomic<std::size_t> pushed{0};
  Http2Origin server([&](Http2Server& http2, Connection& connection) {
    for (;;) {
      const auto request = http2.read_request();
      if (request.stream == 0) return;
      const bool large = connection.number() == 0;
      http2.send_head(request.stream, {}, false);
      if (!large) http2.send_data(request.stream, "small", true);
      const std::string piece(1u << 20, 'x');
      for (std::size_t sent = 0; large && sent < kSize; sent += piece.size()) {
        if (!http2.send_data(request.stream, piece, sent + piece.size() == kSize)) return;
        pushed += piece.size();
      }
    }
  });
  OriginFixture worker;
  RecordingSink large;
  large.keep_body = false;
  bool pause = true;
  large.at_octets = [&] { return !pause; };
  const auto transfer = worker.start(server.endpoint(), secure_request("GET", "/large"), large);
  REQUIRE(worker.loop.run_until([&] { return large.octets != 0; }));
  for (int i = 0; i < 20; ++i) {
    RecordingSink small;
    REQUIRE(worker.exchange(server.endpoint(), secure_request("GET", "/s"), small));
    CHECK(small.body == "small");
  }
  // It stands still when half a second of the loop's time has moved nothing.
  std::size_t before = kSize;
  while (before != pushed) {
    before = pushed;
    bool rung = false;
    base::Timer timer(worker.loop.timers(), [&] { rung = true; });
    timer.schedule_after(Duration(500));
    REQUIRE(worker.loop.run_until([&] { return rung; }));
  }
  CHECK(pushed < 40u << 20);
  CHECK(large.octets < 1u << 20);
  pause = false;
  transfer->resume();
  REQUIRE(worker.loop.run_until([&] { return large.ended(); }));
  CHECK(large.complete);
  CHECK(large.octets == kSize);
}
