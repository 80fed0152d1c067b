// SPDX-License-Identifier: MIT
// The frame of an admin request: strict, at any cut.
#include <doctest/doctest.h>

#include <string>

#include "appliance/admin/front/request_head.h"

using headgate::admin::parse_request_head;
using State = headgate::admin::RequestHead::State;

namespace {

int refusal(const std::string& octets) {
  const auto head = parse_request_head(octets);
  return head.state == State::Refused ? head.refusal : 0;
}
std::string with(const std::string& fields) {
  return "POST /hooks/git HTTP/1.1\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("a head gives method, path and length, and passes on only what endpoints read") {
  const std::string octets =
      "POST /hooks/git?a=b HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1,0-1\r\nContent-Length: "
      "5\r\n"
      "X-Gitlab-Token:  t \r\nAccept-Encoding: br\r\n\r\nhello";
  const auto head = parse_request_head(octets);
  REQUIRE(head.state == State::Complete);
  CHECK(head.method == "POST");
  CHECK(head.path == "/hooks/git");
  CHECK(head.length == octets.size() - 5);
  CHECK(head.content_length == 5);
  CHECK(head.request ==
        "POST /hooks/git?a=b HTTP/1.1\r\nhost: localhost\r\nx-gitlab-token: t\r\n\r\n");
}

TEST_CASE("every proper prefix of a head needs more") {
  const std::string octets = with("Host: x\r\nContent-Length: 5\r\n");
  for (std::size_t length = 0; length < octets.size(); ++length) {
    CHECK(parse_request_head(octets.substr(0, length)).state == State::NeedMore);
  }
  CHECK(parse_request_head(octets).state == State::Complete);
}

TEST_CASE("ambiguous or malformed frames are refused") {
  CHECK(refusal(with("Content-Length: 1\r\nContent-Length: 1\r\n")) == 400);
  CHECK(refusal(with("Content-Length: 1\r\ncontent-length: 2\r\n")) == 400);
  for (const char* length : {"", "+1", "-1", "1 1", "1,1", "0x1", "99999999999999999999999"}) {
    CAPTURE(length);
    CHECK(refusal(with("Content-Length: " + std::string(length) + "\r\n")) == 400);
  }
  CHECK(refusal(with("Transfer-Encoding: chunked\r\n")) == 411);
  CHECK(refusal(with("Expect: 100-continue\r\n")) == 417);
  CHECK(refusal(with("Host : x\r\n")) == 400);
  CHECK(refusal(with(" folded\r\n")) == 400);
  CHECK(refusal(with("no colon\r\n")) == 400);
  CHECK(refusal(with("Host: a\nX-Gitlab-Token: b\r\n")) == 400);
  CHECK(refusal(with("Host: a\rb\r\n")) == 400);
  CHECK(refusal(with(std::string("Host: a\0b\r\n", 11))) == 400);
  for (const char* line :
       {"", "GET", "GET /", "GET / HTTP/2.0", "GET  / HTTP/1.1", "GET x HTTP/1.1",
        "G\x01T / HTTP/1.1", "GET /a b HTTP/1.1", "GET http://x/ HTTP/1.1", " GET / HTTP/1.1",
        "GET /\x7f HTTP/1.1", "GET /\xC3\xA4 HTTP/1.1"}) {
    CAPTURE(line);
    CHECK(refusal(std::string(line) + "\r\nHost: x\r\n\r\n") == 400);
  }
  CHECK(refusal("GET /" + std::string(5000, 'x') + " HTTP/1.1\r\n\r\n") == 400);
}

TEST_CASE("a head without end is refused at 16 KiB") {
  CHECK(parse_request_head("GET / HTTP/1.1\r\nX: " + std::string(16'000, 'x')).state ==
        State::NeedMore);
  CHECK(refusal("GET / HTTP/1.1\r\nX: " + std::string(16'384, 'x')) == 431);
}
