// SPDX-License-Identifier: MIT
// The PROXY protocol's head: strict, at any cut.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "appliance/base/hash.h"
#include "appliance/guard/client_address.h"

using headgate::guard::parse_proxy_header;
using headgate::guard::ProxyHeader;
using Status = headgate::guard::ProxyHeader::Status;

namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string number(unsigned value, int octets) {
  std::string text;
  for (int i = octets - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// A version 2 head; `rest`: addresses and records.
std::string v2(unsigned version_command, unsigned family, const std::string& rest) {
  return kSignature + number(version_command, 1) + number(family, 1) +
         number(static_cast<unsigned>(rest.size()), 2) + rest;
}
std::string tcp4(const std::string& records = "") {
  return v2(0x21, 0x11,
            std::string("\xC0\x00\x02\x01", 4) + std::string("\xC6\x33\x64\x01", 4) +
                number(4711, 2) + number(443, 2) + records);
}
std::string record(unsigned type, const std::string& value) {
  return number(type, 1) + number(static_cast<unsigned>(value.size()), 2) + value;
}
/// With a correct checksum record.
std::string with_checksum(unsigned error = 0) {
  auto head = tcp4(record(0x03, std::string(4, '\0')) + record(0x04, "pad"));
  const auto crc = headgate::base::crc32c(head) ^ error;
  return head.replace(12 + 4 + 12 + 3, 4, number(crc, 4));
}

Status status(const std::string& octets) { return parse_proxy_header(octets).status; }

}  // namespace

TEST_CASE("version 1 over IPv4 and IPv6 names the source") {
  const std::string head = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
  auto parsed = parse_proxy_header(head + "GET / HTTP/1.1\r\n\r\n");
  REQUIRE(parsed.status == Status::Complete);
  CHECK(parsed.length == head.size());
  CHECK(parsed.source->text() == "192.0.2.1");
  CHECK(parsed.source_port == 56324);
  parsed = parse_proxy_header("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n");
  REQUIRE(parsed.status == Status::Complete);
  CHECK(parsed.source->text() == "2001:db8::1");
  CHECK(parsed.source_port == 1);
}

TEST_CASE("version 1 with UNKNOWN keeps the socket's peer") {
  for (const std::string head : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 whatever 1 2\r\n"}) {
    const auto parsed = parse_proxy_header(head);
    CHECK(parsed.status == Status::Complete);
    CHECK(parsed.length == head.size());
    CHECK_FALSE(parsed.source.has_value());
  }
}

TEST_CASE("malformed heads of version 1 are refused") {
  for (const char* head :
       {"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 1 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 1 443\r\n", "PROXY TCP4 192.0.2.1 x 1 443\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY tcp4 192.0.2.1 198.51.100.1 1 443\r\n",
        "PROXY \r\n", "PROXY UNKNOWNX\r\n", "PROXY TCP4 192.0.2.1 198.51.100.1 1 4\n43\r\n"}) {
    CAPTURE(head);
    CHECK(status(head) == Status::Malformed);
  }
  CHECK(status("PROXY UNKNOWN " + std::string(200, 'x')) == Status::Malformed);
  CHECK(status("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n") ==
        Status::Complete);  // 107 octets
  CHECK(status("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n") == Status::Malformed);  // 108
}

TEST_CASE("version 2 over IPv4 and IPv6 names the source") {
  auto parsed = parse_proxy_header(tcp4() + "GET /");
  REQUIRE(parsed.status == Status::Complete);
  CHECK(parsed.length == 28);
  CHECK(parsed.source->text() == "192.0.2.1");
  CHECK(parsed.source_port == 4711);

  std::string v6(32, '\0');
  v6.replace(0, 4, "\x20\x01\x0d\xb8");
  v6[15] = 9;
  parsed = parse_proxy_header(v2(0x21, 0x21, v6 + number(80, 2) + number(443, 2)));
  REQUIRE(parsed.status == Status::Complete);
  CHECK(parsed.source->text() == "2001:db8::9");
  CHECK(parsed.source_port == 80);
}

TEST_CASE("LOCAL, unspecified and unix connections keep the socket's peer") {
  for (const auto& head : {v2(0x20, 0x00, ""), v2(0x20, 0x11, "any"), v2(0x21, 0x00, "ignored"),
                           v2(0x21, 0x31, std::string(216, 'u'))}) {
    const auto parsed = parse_proxy_header(head);
    CHECK(parsed.status == Status::Complete);
    CHECK(parsed.length == head.size());
    CHECK_FALSE(parsed.source.has_value());
  }
}

TEST_CASE("malformed heads of version 2 are refused") {
  CHECK(status(v2(0x11, 0x11, std::string(12, 'x'))) == Status::Malformed);  // version
  CHECK(status(v2(0x22, 0x11, std::string(12, 'x'))) == Status::Malformed);  // command
  CHECK(status(v2(0x21, 0x12, std::string(12, 'x'))) == Status::Malformed);  // datagrams
  CHECK(status(v2(0x21, 0x41, std::string(12, 'x'))) == Status::Malformed);  // no such family
  CHECK(status(v2(0x21, 0x11, std::string(11, 'x'))) ==
        Status::Malformed);  // too short for its addresses
  CHECK(status(v2(0x21, 0x21, std::string(35, 'x'))) == Status::Malformed);
  CHECK(status(v2(0x21, 0x31, std::string(215, 'x'))) == Status::Malformed);
  CHECK(status(v2(0x20, 0x00, std::string(521, 'x'))) == Status::Malformed);  // longer than 536
  CHECK(status(v2(0x20, 0x00, std::string(520, 'x'))) == Status::Complete);
}

TEST_CASE("records of version 2 must fill the head exactly") {
  CHECK(status(tcp4(record(0x01, "h2") + record(0xE0, ""))) == Status::Complete);
  CHECK(status(tcp4("\x01")) == Status::Malformed);
  CHECK(status(tcp4(std::string("\x01\x00\x05"
                                "abc",
                                6))) == Status::Malformed);
}

TEST_CASE("a checksum in version 2 must be right") {
  CHECK(status(with_checksum()) == Status::Complete);
  CHECK(status(with_checksum(1)) == Status::Malformed);
  CHECK(status(tcp4(record(0x03, "abc"))) == Status::Malformed);
}

TEST_CASE("every proper prefix of a head needs more, and other protocols have none") {
  for (const auto& head :
       {std::string("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"), tcp4(), with_checksum()}) {
    for (std::size_t length = 0; length < head.size(); ++length) {
      CAPTURE(length);
      CHECK(status(head.substr(0, length)) == Status::NeedMore);
    }
    CHECK(status(head) == Status::Complete);
  }
  for (const char* other : {"GET / HTTP/1.1\r\n", "P0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                            "POST / HTTP/1.1\r\n", "\x16\x03\x01", "PROXYTCP4", "\r\n\r\nX"}) {
    CAPTURE(other);
    CHECK(status(other) == Status::Absent);
  }
}

TEST_CASE("536 octets always settle the question") {
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string octets = i % 3 == 0   ? tcp4(record(1, "h2"))
                         : i % 3 == 1 ? std::string("PROXY TCP4 1.2.3.4 ")
                                      : kSignature;
    octets.resize(536, 'x');
    for (int changes = 0; changes < 3; ++changes)
      octets[random() % 40] = static_cast<char>(random());
    const auto parsed = parse_proxy_header(octets);
    REQUIRE(parsed.status != Status::NeedMore);
    REQUIRE(parsed.length <= octets.size());
  }
}
