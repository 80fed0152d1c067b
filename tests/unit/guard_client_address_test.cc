// SPDX-License-Identifier: MIT
// Who the client is, by what trusted proxies say.
#include <doctest/doctest.h>

#include <string>

#include "appliance/guard/client_address.h"

using headgate::base::IpAddress;
using headgate::base::IpNetwork;
using headgate::guard::client_address;
using headgate::guard::TrustedProxies;
using headgate::http::Field;

namespace {

constexpr const char* kProxy = "10.0.0.1";

/// Trusts 10.0.0.0/8 and 2001:db8:aaaa::/48.
TrustedProxies proxies() {
  return TrustedProxies({*IpNetwork::parse("10.0.0.0/8"), *IpNetwork::parse("2001:db8:aaaa::/48")});
}

std::string client(std::vector<Field> fields, const char* peer = kProxy) {
  return client_address(*IpAddress::parse(peer), proxies(), fields).text();
}
std::string by_list(const char* value) { return client({{"x-forwarded-for", value}}); }
std::string by_forwarded(const char* value) { return client({{"forwarded", value}}); }

}  // namespace

TEST_CASE("a peer that is no trusted proxy is the client, whatever it says") {
  CHECK(client({{"x-forwarded-for", "1.2.3.4"}, {"forwarded", "for=1.2.3.4"}}, "192.0.2.1") ==
        "192.0.2.1");
  CHECK(client_address(*IpAddress::parse(kProxy), TrustedProxies(), {}).text() == kProxy);
}

TEST_CASE("a trusted proxy that says nothing is the client itself") {
  CHECK(client({}) == kProxy);
  CHECK(client({{"x-forwarded-for", ""}}) == kProxy);
  CHECK(client({{"accept", "1.2.3.4"}}) == kProxy);
}

TEST_CASE("X-Forwarded-For is read from the right as far as proxies are trusted") {
  CHECK(by_list("203.0.113.7") == "203.0.113.7");
  CHECK(by_list("6.6.6.6, 203.0.113.7") == "203.0.113.7");  // what the client made up
  CHECK(by_list("6.6.6.6, 203.0.113.7, 10.1.1.1, 10.2.2.2") == "203.0.113.7");
  CHECK(by_list("10.3.3.3, 10.2.2.2") == "10.3.3.3");  // all trusted: the one farthest away
  CHECK(by_list("2001:db8::7, 2001:db8:aaaa::1") == "2001:db8::7");
  CHECK(by_list(" 203.0.113.7 ,\t10.1.1.1 ") == "203.0.113.7");
  CHECK(by_list("203.0.113.7,, ,10.1.1.1,") == "203.0.113.7");  // empty elements
}

TEST_CASE("ports and brackets in X-Forwarded-For are understood") {
  CHECK(by_list("203.0.113.7:4711") == "203.0.113.7");
  CHECK(by_list("[2001:db8::7]:4711") == "2001:db8::7");
  CHECK(by_list("[2001:db8::7]") == "2001:db8::7");
}

TEST_CASE("a malformed element ends the walk, and what is to its right stands") {
  CHECK(by_list("203.0.113.7, garbage, 10.1.1.1") == "10.1.1.1");
  CHECK(by_list("203.0.113.7, unknown") == kProxy);
  for (const char* bad :
       {"1.2.3", "1.2.3.4.5", "1.2.3.4:", "1.2.3.4:123456", "1.2.3.4:x", "[1.2.3.4]", "[::1",
        "[::1]x", "[::1]:", "::1%eth0", "\"1.2.3.4\"", "for=1.2.3.4"}) {
    CAPTURE(bad);
    CHECK(by_list(bad) == kProxy);
  }
}

TEST_CASE("several lines are one list") {
  CHECK(client({{"x-forwarded-for", "6.6.6.6"},
                {"accept", "x"},
                {"x-forwarded-for", "203.0.113.7"},
                {"x-forwarded-for", "10.1.1.1"}}) == "203.0.113.7");
  CHECK(client({{"forwarded", "for=6.6.6.6"}, {"forwarded", "for=203.0.113.7, for=10.1.1.1"}}) ==
        "203.0.113.7");
}

TEST_CASE("Forwarded is read as RFC 7239 gives it") {
  CHECK(by_forwarded("for=192.0.2.60;proto=http;by=203.0.113.43") == "192.0.2.60");
  CHECK(by_forwarded("For=\"[2001:db8:cafe::17]:4711\"") == "2001:db8:cafe::17");
  CHECK(by_forwarded("for=192.0.2.43, for=198.51.100.17") == "198.51.100.17");
  CHECK(by_forwarded("for=192.0.2.43, for=10.4.4.4") == "192.0.2.43");
  CHECK(by_forwarded("FOR=\"192.0.2.43:47011\"") == "192.0.2.43");
  CHECK(by_forwarded("for=\"192.0.2.43:_port\"") == "192.0.2.43");
  CHECK(by_forwarded("proto=https; host=\"a,b;c\" ;for=192.0.2.43") == "192.0.2.43");
  CHECK(by_forwarded("for=\"192.0\\.2.43\"") == "192.0.2.43");  // a quoted pair
  CHECK(by_forwarded("host=\"a\\\"b, for=6.6.6.6\";for=192.0.2.43") == "192.0.2.43");
  CHECK(by_forwarded("for=192.0.2.43;ext=\"\"") == "192.0.2.43");
}

TEST_CASE("obfuscated and unknown nodes end the walk") {
  CHECK(by_forwarded("for=192.0.2.43, for=unknown") == kProxy);
  CHECK(by_forwarded("for=192.0.2.43, for=_hidden, for=10.5.5.5") == "10.5.5.5");
  CHECK(by_forwarded("for=192.0.2.43, for=\"_SEVKISEK\"") == kProxy);
  CHECK(by_forwarded("proto=https") == kProxy);
}

TEST_CASE("malformed elements of Forwarded end the walk") {
  for (const char* bad :
       {"for", "for=", "=1.2.3.4", "for=1.2.3.4;for=1.2.3.4", "for=1.2.3.4 proto=http",
        "for=\"1.2.3.4", "for=1.2.3.4\"", "for=\"1.2.3.4\"x", "for =1.2.3.4", "for= 1.2.3.4",
        "for=\"1.2.3.4\\", ";for=1.2.3.4", "for=[::1", "for=\"[1.2.3.4]\"",
        "for=1.2.3.4;;proto=http", "for=1.2.3.4;proto"}) {
    CAPTURE(bad);
    CHECK(by_forwarded(bad) == kProxy);
  }
  CHECK(by_forwarded(("for=\"" + std::string(100, '1') + "\"").c_str()) == kProxy);
}

TEST_CASE("a quote that the client left open does not swallow what the proxies added") {
  CHECK(by_forwarded("for=\"6.6.6.6, for=203.0.113.7") == "203.0.113.7");
  CHECK(by_forwarded("for=6.6.6.6;x=\", for=203.0.113.7, for=\"10.1.1.1\"") == "203.0.113.7");
  CHECK(by_forwarded("x=\"\\, for=203.0.113.7;by=\"_proxy\"") == "203.0.113.7");
  CHECK(client({{"forwarded", "for=\"6.6.6.6"}, {"forwarded", "for=203.0.113.7"}}) ==
        "203.0.113.7");
}

TEST_CASE("a Forwarded that the client made up does not hide the X-Forwarded-For of the proxy") {
  CHECK(client({{"forwarded", "for=6.6.6.6"}, {"x-forwarded-for", "203.0.113.7"}}) ==
        "203.0.113.7");
  CHECK(client({{"x-forwarded-for", "203.0.113.7"}, {"forwarded", "for=6.6.6.6"}}) ==
        "203.0.113.7");
}

TEST_CASE("a long list of trusted addresses is walked to its end") {
  std::string list = "203.0.113.7";
  for (int i = 0; i < 5000; ++i) list += ",10.1.1.1";
  CHECK(by_list(list.c_str()) == "203.0.113.7");
}
