// SPDX-License-Identifier: MIT
// IP addresses and networks as values, checked against the C library's.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <random>
#include <string>

#include "appliance/base/ip_address.h"

using headgate::base::IpAddress;
using headgate::base::IpNetwork;

namespace {

std::string canonical(std::string_view text) {
  const auto address = IpAddress::parse(text);
  return address ? address->text() : "none";
}

/// What inet_ntop makes of the octets of an IPv6 address.
std::string ntop(const std::array<std::uint8_t, 16>& octets) {
  std::array<char, INET6_ADDRSTRLEN> text;
  REQUIRE(inet_ntop(AF_INET6, octets.data(), text.data(), text.size()) != nullptr);
  return text.data();
}

}  // namespace

TEST_CASE("addresses are read in every form of RFC 4291 and written in the one of RFC 5952") {
  CHECK(canonical("192.0.2.1") == "192.0.2.1");
  CHECK(canonical("0.0.0.0") == "0.0.0.0");
  CHECK(canonical("255.255.255.255") == "255.255.255.255");
  CHECK(canonical("::") == "::");
  CHECK(canonical("::1") == "::1");
  CHECK(canonical("1::") == "1::");
  CHECK(canonical("2001:DB8:0:0:0:0:0:1") == "2001:db8::1");
  CHECK(canonical("2001:0db8::0001") == "2001:db8::1");
  CHECK(canonical("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");     // the first of equal runs
  CHECK(canonical("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");           // the longest run
  CHECK(canonical("2001:db8:0:1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");  // never for one group
  CHECK(canonical("1:2:3:4:5:6:7::") == "1:2:3:4:5:6:7:0");
  CHECK(canonical("64:ff9b::192.0.2.33") == "64:ff9b::c000:221");
}

TEST_CASE("an IPv4-mapped address is the IPv4 address") {
  CHECK(canonical("::ffff:192.0.2.1") == "192.0.2.1");
  CHECK(canonical("::ffff:c000:201") == "192.0.2.1");
  CHECK(*IpAddress::parse("::ffff:192.0.2.1") == *IpAddress::parse("192.0.2.1"));
  CHECK(IpAddress::parse("::ffff:192.0.2.1")->is_v4());
}

TEST_CASE("what is not an address is none") {
  for (const char* text : {"",
                           ":",
                           ":::",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "1.2.3.4/32",
                           "1.2.3.0x4",
                           "1..2.3",
                           "1.2.3.",
                           "::1%eth0",
                           "[::1]",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "12345::",
                           "g::",
                           "1:",
                           "1:2:3:4:5:6:7:",
                           ":1",
                           ":1:2:3:4:5:6:7",
                           "::1.2.3",
                           "::1.2.3.4.5",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "1.2.3.4::",
                           "::ffff:1.2.3.4:5",
                           "::00001"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text).has_value());
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)).has_value());
}

TEST_CASE("text agrees with inet_ntop for random addresses and is read back") {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::array<std::uint8_t, 16> octets;
    // Mostly zeros: runs are what is difficult.
    for (auto& octet : octets)
      octet = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : std::uint8_t{0};
    octets[0] |= 0x20;  // neither mapped nor compatible, which inet_ntop writes with dots
    const auto address = IpAddress::from_v6(octets);
    REQUIRE(address.text() == ntop(octets));
    REQUIRE(IpAddress::parse(address.text()) == address);
  }
}

TEST_CASE("random text is accepted exactly when inet_pton accepts it") {
  constexpr std::string_view kAlphabet = "0123456789abcdefF::::....";
  std::mt19937 random(11);
  int accepted = 0;
  for (int i = 0; i < 300'000; ++i) {
    // A valid address with a few characters changed, so that both answers happen.
    std::string text = std::array<const char*, 4>{"1::2:3", "10.0.255.1", "::ffff:1.2.3.4",
                                                  "1:2:3:4:5:6:7:8"}[i % 4];
    for (auto changes = random() % 3; changes > 0; --changes) {
      const auto at = random() % text.size();
      const char c = kAlphabet[random() % kAlphabet.size()];
      if (random() % 2 == 0) {
        text[at] = c;
      } else {
        text.insert(at, 1, c);
      }
    }
    std::array<std::uint8_t, 16> octets;
    const bool v4 = inet_pton(AF_INET, text.c_str(), octets.data()) == 1;
    const bool v6 = inet_pton(AF_INET6, text.c_str(), octets.data()) == 1;
    CAPTURE(text);
    REQUIRE(IpAddress::parse(text).has_value() == (v4 || v6));
    accepted += v4 || v6 ? 1 : 0;
  }
  CHECK(accepted > 50'000);
}

TEST_CASE("socket addresses of both families are taken, others are unspecified") {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  inet_pton(AF_INET, "203.0.113.9", &v4.sin_addr);
  CHECK(IpAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&v4)).text() == "203.0.113.9");
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  inet_pton(AF_INET6, "::ffff:203.0.113.9", &v6.sin6_addr);
  CHECK(IpAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6)).text() == "203.0.113.9");
  inet_pton(AF_INET6, "2001:db8::5", &v6.sin6_addr);
  CHECK(IpAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6)).text() == "2001:db8::5");
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  const auto none = IpAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&local));
  CHECK_FALSE(none.is_v4());
  CHECK_FALSE(none.is_v6());
  CHECK(none.text() == "");
  CHECK(IpAddress::from_sockaddr(nullptr) == none);
}

TEST_CASE("a network contains its addresses and no others") {
  const auto contains = [](const char* network, const char* address) {
    const auto parsed = IpNetwork::parse(network);
    REQUIRE(parsed.has_value());
    return parsed->contains(*IpAddress::parse(address));
  };
  CHECK(contains("10.0.0.0/8", "10.255.255.255"));
  CHECK_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  CHECK(contains("192.0.2.128/25", "192.0.2.129"));
  CHECK_FALSE(contains("192.0.2.128/25", "192.0.2.127"));
  CHECK(contains("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(contains("192.0.2.7", "192.0.2.6"));
  CHECK(contains("0.0.0.0/0", "8.8.8.8"));
  CHECK_FALSE(contains("0.0.0.0/0", "::1"));
  CHECK(contains("2001:db8::/32", "2001:db8:ffff::1"));
  CHECK_FALSE(contains("2001:db8::/32", "2001:db9::"));
  CHECK(contains("2001:db8::/33", "2001:db8:7fff::"));
  CHECK_FALSE(contains("2001:db8::/33", "2001:db8:8000::"));
  CHECK(contains("::1/128", "::1"));
  CHECK_FALSE(contains("::/0", "1.2.3.4"));
  CHECK(contains("10.9.8.7/8", "10.1.1.1"));  // bits behind the prefix do not count
  CHECK(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  CHECK(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK_FALSE(IpNetwork::parse("10.0.0.0/8")->contains(IpAddress()));
  CHECK_FALSE(IpNetwork().contains(IpAddress()));
}

TEST_CASE("what is not a network is none") {
  for (const char* text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8",
        "::/129", "10.0.0.0/ 8", "10.0.0.0/8 ", "10.0/16", "::ffff:10.0.0.0/90", "::/0000"}) {
    CAPTURE(text);
    CHECK_FALSE(IpNetwork::parse(text).has_value());
  }
}
