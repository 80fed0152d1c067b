// SPDX-License-Identifier: MIT
// What goes up to an origin and what comes down, over real sockets.
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/support/gate.h"
#include "tests/support/origin_fixture.h"

using namespace headgate;
using namespace headgate::test;
using origin::Failure;

namespace {

/// Answers each request on each connection with `response`, and keeps the heads.
struct Answering {
  explicit Answering(std::string response)
      : origin([this, response = std::move(response)](Connection& connection) {
          for (;;) {
            const std::string head = connection.read_head();
            if (head.empty()) return;
            {
              base::MutexLock lock(mutex);
              heads.push_back(head);
            }
            if (!connection.send(response)) return;
          }
        }) {}
  std::vector<std::string> seen() {
    base::MutexLock lock(mutex);
    return heads;
  }

  base::Mutex mutex;
  std::vector<std::string> heads GUARDED_BY(mutex);
  RawOrigin origin;
};

}  // namespace

TEST_CASE("a response reaches the sink with its status, its fields in lower case and its body") {
  Answering server(
      "HTTP/1.1 203 Odd\r\nContent-Length: 5\r\nX-One: a\r\nSet-Cookie: first=1\r\nX-ONE:   b  \r\n"
      "Set-Cookie: second=2\r\nX-Folded: one\r\n  two\r\n\tthree\r\nX-Empty:\r\n\r\nhello");
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(plain_endpoint(server.origin.port()), make_request("GET", "/p"), sink));
  CHECK(sink.complete);
  CHECK(sink.heads == 1);
  CHECK(sink.status == 203);
  CHECK(sink.content_length == 5);
  CHECK(sink.body == "hello");
  CHECK(sink.values("x-one") == std::vector<std::string>{"a", "b"});
  CHECK(sink.values("set-cookie") == std::vector<std::string>{"first=1", "second=2"});
  CHECK(sink.values("x-folded") == std::vector<std::string>{"one two three"});
  CHECK(sink.values("x-empty") == std::vector<std::string>{""});
}

TEST_CASE("nothing goes up that was not asked for") {
  Answering server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  setenv("http_proxy", "http://127.0.0.1:1/", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(
      worker.exchange(plain_endpoint(server.origin.port()), make_request("GET", "/x?y=1"), sink));
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
  CHECK(sink.complete);
  CHECK(server.seen().at(0) == "GET /x?y=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n");
}

TEST_CASE("the fields given go up as they are, empty ones too, and hop-by-hop ones never") {
  Answering server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(plain_endpoint(server.origin.port()),
                          make_request("GET", "/",
                                       {{"accept", "text/html;q=0.5"},
                                        {"x-empty", ""},
                                        {"x-blank", "  "},
                                        {"user-agent", "viewer"},
                                        {"x-twice", "1"},
                                        {"x-twice", "2"},
                                        {"connection", "close, x-twice"},
                                        {"transfer-encoding", "chunked"},
                                        {"content-length", "7"},
                                        {"expect", "100-continue"},
                                        {"host", "other.test"},
                                        {"authorization", "Basic Og=="},
                                        {"cookie", "a=b"}}),
                          sink));
  CHECK(server.seen().at(0) ==
        "GET / HTTP/1.1\r\nHost: shop.test\r\naccept: text/html;q=0.5\r\nx-empty:\r\nx-blank:\r\n"
        "user-agent: viewer\r\nx-twice: 1\r\nx-twice: 2\r\nauthorization: Basic Og==\r\n"
        "cookie: a=b\r\n\r\n");
}

TEST_CASE("a request target goes up octet by octet") {
  Answering server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  OriginFixture worker;
  std::vector<std::string> lines;
  for (const std::string target : {"/a/../b/./c", "//double", "/%7e%zz?q=%20+[]{}|\\^\"<>`", "/?",
                                   "/#fragment", "/caf\xc3\xa9", "/a;b?c=//d/../e"}) {
    RecordingSink sink;
    REQUIRE(
        worker.exchange(plain_endpoint(server.origin.port()), make_request("GET", target), sink));
    CHECK(sink.complete);
    lines.push_back("GET " + target + " HTTP/1.1\r\n");
  }
  RecordingSink sink;
  REQUIRE(
      worker.exchange(plain_endpoint(server.origin.port()), make_request("OPTIONS", "*"), sink));
  lines.push_back("OPTIONS * HTTP/1.1\r\n");
  const auto seen = server.seen();
  REQUIRE(seen.size() == lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(seen[i].substr(0, lines[i].size()) == lines[i]);
  }
}

TEST_CASE("a request that could end a line inside itself is refused, and nothing is sent") {
  Answering server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  OriginFixture worker;
  std::vector<origin::Request> requests;
  requests.push_back(make_request("GET", "/ HTTP/1.1\r\nX: y"));
  requests.push_back(make_request("GET", "/a b"));
  requests.push_back(make_request("GET", std::string("/a\0b", 4)));
  requests.push_back(make_request("GET", "no-slash"));
  requests.push_back(make_request("GE T", "/"));
  requests.push_back(make_request("CONNECT", "/"));
  requests.push_back(make_request("GET", "/", {{"x-a", "b\r\nx-c: d"}}));
  requests.push_back(make_request("GET", "/", {{"x-a", std::string_view("b\0c", 3)}}));
  requests.push_back(make_request("GET", "/", {{"x a", "b"}}));
  requests.push_back(make_request("GET", "/", {{"x-a:", "b"}}));
  requests.push_back(make_request("GET", "/"));
  requests.back().host_header = "a\r\nb: c";
  for (origin::Request& request : requests) {
    RecordingSink sink;
    REQUIRE(worker.exchange(plain_endpoint(server.origin.port()), std::move(request), sink));
    CHECK(sink.failure == Failure::HttpRequestError);
    CHECK(sink.heads == 0);
  }
  CHECK(server.origin.accepted() == 0);
}

TEST_CASE("a coded body passes undecoded, a chunked one without its chunks") {
  const std::string gzip = "\x1f\x8b\x08 this is not even gzip";
  Answering server(
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\n" +
      gzip.substr(0, 5) + "\r\n" + "13;ext=1\r\n" + gzip.substr(5, 0x13) +
      "\r\n0\r\nX-Trailer: late\r\n\r\n");
  OriginFixture worker;
  for (int i = 0; i < 2; ++i) {  // the second time on the same connection
    RecordingSink sink;
    REQUIRE(worker.exchange(plain_endpoint(server.origin.port()), make_request(), sink));
    CHECK(sink.complete);
    CHECK(sink.body == gzip.substr(0, 0x18));
    CHECK(!sink.content_length);
    CHECK(sink.values("content-encoding") == std::vector<std::string>{"gzip"});
    CHECK(sink.values("x-trailer").empty());
  }
  CHECK(server.origin.accepted() == 1);
}

TEST_CASE("a response without a length ends with the connection") {
  RawOrigin server([](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  });
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(plain_endpoint(server.port()), make_request(), sink));
  CHECK(sink.complete);
  CHECK(sink.body == "until the end");
}

TEST_CASE("interim responses are not taken for the head") {
  Answering server(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-Interim: 1\r\n\r\n"
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Final: 1\r\n\r\nok");
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(plain_endpoint(server.origin.port()), make_request(), sink));
  CHECK(sink.complete);
  CHECK(sink.interim == std::vector<int>{102, 103});  // 100 is between the origin and us
  CHECK(sink.heads == 1);
  CHECK(sink.status == 200);
  CHECK(sink.values("link").empty());
  CHECK(sink.values("x-interim").empty());
  CHECK(sink.values("x-final").size() == 1);
  CHECK(sink.body == "ok");
}

TEST_CASE("HEAD, 204 and 304 have no body, whatever their fields say") {
  for (const auto& [method, status] : std::vector<std::pair<std::string, std::string>>{
           {"HEAD", "200 OK"}, {"GET", "204 No Content"}, {"GET", "304 Not Modified"}}) {
    Answering server("HTTP/1.1 " + status + "\r\nContent-Length: 12345\r\nETag: \"a\"\r\n\r\n");
    OriginFixture worker;
    for (int i = 0; i < 2; ++i) {
      RecordingSink sink;
      REQUIRE(worker.exchange(plain_endpoint(server.origin.port()), make_request(method), sink));
      CHECK(sink.complete);
      CHECK(sink.octets == 0);
      CHECK(sink.content_length == 12345);
    }
    CHECK(server.origin.accepted() == 1);
  }
}

TEST_CASE("a redirect is an answer like any other") {
  Answering server("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
  OriginFixture worker;
  RecordingSink sink;
  REQUIRE(worker.exchange(plain_endpoint(server.origin.port()), make_request(), sink));
  CHECK(sink.complete);
  CHECK(sink.status == 302);
  CHECK(server.seen().size() == 1);
}

TEST_CASE("odd final status codes pass as they are") {
  for (const int status : {299, 418, 499, 599}) {
    Answering server("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\n\r\n");
    OriginFixture worker;
    RecordingSink sink;
    REQUIRE(worker.exchange(plain_endpoint(server.origin.port()), make_request(), sink));
    CHECK(sink.complete);
    CHECK(sink.status == status);
  }
}

TEST_CASE("methods pass as they are, and POST without a body says so") {
  Answering server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  OriginFixture worker;
  for (const std::string method : {"DELETE", "PROPFIND", "get", "POST"}) {
    RecordingSink sink;
    REQUIRE(worker.exchange(plain_endpoint(server.origin.port()), make_request(method), sink));
    CHECK(sink.complete);
  }
  const auto seen = server.seen();
  CHECK(seen.at(0) == "DELETE / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
  CHECK(seen.at(1) == "PROPFIND / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
  CHECK(seen.at(2) == "get / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
  CHECK(seen.at(3) == "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("an origin on IPv6 is reached") {
  RawOrigin::Options options;
  options.ipv6 = true;
  RawOrigin server(options, [](Connection& connection) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nv6");
  });
  OriginFixture worker;
  RecordingSink sink;
  origin::Endpoint endpoint = plain_endpoint(server.port());
  endpoint.host = "::1";
  REQUIRE(worker.exchange(endpoint, make_request(), sink));
  CHECK(sink.body == "v6");
}
