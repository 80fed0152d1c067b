// SPDX-License-Identifier: MIT
// JA3 and JA4 against their authors' published examples.
#include <doctest/doctest.h>

#include "appliance/guard/waf/fingerprint/client_hello.h"

namespace {

using namespace headgate::guard::waf;

/// The example of JA4's technical description.
ClientHello chrome() {
  ClientHello hello;
  hello.ciphers = {0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                   0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
  hello.extensions = {0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d,
                      0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015};
  hello.supported_versions = {0x0a0a, 0x0304, 0x0303};
  hello.signature_algorithms = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601};
  hello.first_alpn = "h2";
  hello.has_server_name = true;
  return hello;
}

TEST_CASE("JA4 is what its description says of its example") {
  CHECK(ja4(chrome()) == "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

TEST_CASE("JA4 does not depend on the order of ciphers and extensions, JA3 does") {
  ClientHello other = chrome();
  std::swap(other.ciphers[1], other.ciphers[2]);
  std::swap(other.extensions[1], other.extensions[3]);
  CHECK(ja4(other) == ja4(chrome()));
  CHECK(ja3(other) != ja3(chrome()));
}

TEST_CASE("JA4 tells a client without SNI and ALPN, of another version, over QUIC") {
  ClientHello hello = chrome();
  hello.quic = true;
  hello.has_server_name = false;
  hello.first_alpn.clear();
  hello.supported_versions.clear();
  CHECK(ja4(hello).starts_with("q12i151600_"));
  hello.first_alpn = "\xabx\xcd";
  CHECK(ja4(hello).substr(8, 2) == "ad");
}

TEST_CASE("a client that resumes a session is the same client with another JA4") {
  ClientHello resumed = chrome();
  std::erase(resumed.extensions, 0x0015);
  resumed.extensions.push_back(0x0029);
  resumed.extensions.push_back(0x002a);
  CHECK(fingerprint(resumed).ja4 == ja4(resumed));
  CHECK(fingerprint(resumed).ja4 != fingerprint(chrome()).ja4);
  CHECK(fingerprint(resumed).full_ja4 == fingerprint(chrome()).full_ja4);
  ClientHello other = chrome();
  other.extensions.push_back(0x0031);
  CHECK(fingerprint(other).full_ja4 != fingerprint(chrome()).full_ja4);
}

TEST_CASE("JA3 is the MD5 of its fields without GREASE") {
  ClientHello hello;
  hello.legacy_version = 769;
  hello.ciphers = {0x0a0a, 47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4};
  hello.extensions = {0, 10, 11};
  hello.groups = {23, 24, 25};
  hello.point_formats = {0};
  CHECK(ja3_text(hello) == "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
  CHECK(ja3(hello) == "ada70206e40642a3e4461f35503241d5");
}

TEST_CASE("JA3 of a client that sends nothing optional") {
  ClientHello hello;
  hello.legacy_version = 769;
  hello.ciphers = {4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99};
  CHECK(ja3_text(hello) == "769,4-5-10-9-100-98-3-6-19-18-99,,,");
  CHECK(ja3(hello) == "de350869b8c85de67a350c8d186f11e6");
}

std::string u16(std::size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}
std::string with_length(const std::string& content) { return u16(content.size()) + content; }
std::string extension(std::size_t type, const std::string& content) {
  return u16(type) + with_length(content);
}
std::string message(const std::string& extensions,
                    const std::string& after_ciphers = std::string("\1\0", 2)) {
  const std::string body = u16(0x0303) + std::string(32, 'r') + std::string("\2id") +
                           with_length(u16(0x1a1a) + u16(0x1301)) + after_ciphers + extensions;
  return std::string("\1\0", 2) + with_length(body);
}

TEST_CASE("a ClientHello is read from the wire, extensions that nobody knows included") {
  using namespace std::string_literals;
  const std::string octets = message(
      with_length(extension(0x2a2a, "") + extension(0, "\0\4\0\0\1a"s) +
                  extension(0x4469, "\0\3\2h2"s) + extension(16, "\0\x0c\2h2\x08http/1.1"s) +
                  extension(10, with_length(u16(29) + u16(23))) + extension(11, "\1\0"s) +
                  extension(13, with_length(u16(0x0403))) + extension(43, "\4\3\4\3\3"s)));
  const auto hello = parse_client_hello(octets);
  REQUIRE(hello);
  CHECK(hello->legacy_version == 0x0303);
  CHECK(hello->ciphers == std::vector<std::uint16_t>{0x1a1a, 0x1301});
  CHECK(hello->extensions == std::vector<std::uint16_t>{0x2a2a, 0, 0x4469, 16, 10, 11, 13, 43});
  CHECK(hello->has_server_name);
  CHECK(hello->first_alpn == "h2");
  CHECK(hello->groups == std::vector<std::uint16_t>{29, 23});
  CHECK(hello->point_formats == std::vector<std::uint8_t>{0});
  CHECK(hello->signature_algorithms == std::vector<std::uint16_t>{0x0403});
  CHECK(hello->supported_versions == std::vector<std::uint16_t>{0x0304, 0x0303});
  CHECK(ja4(*hello).starts_with("t13d0107h2_"));
  // Every beginning of it is malformed, or none at all.
  for (std::size_t size = 0; size < octets.size(); ++size)
    CHECK_FALSE(parse_client_hello(octets.substr(0, size)));
}

TEST_CASE("a ClientHello without extensions, and messages that are none") {
  using namespace std::string_literals;
  const auto plain = parse_client_hello(message(""));
  REQUIRE(plain);
  CHECK(plain->extensions.empty());
  CHECK_FALSE(parse_client_hello("\2\0\0\0"s));
  CHECK_FALSE(parse_client_hello(""));
  // The content of an extension that lies about its length counts as empty.
  const auto lying = parse_client_hello(message(with_length(extension(10, "\0\xff\0\x1d"s))));
  REQUIRE(lying);
  CHECK(lying->groups.empty());
}

}  // namespace
