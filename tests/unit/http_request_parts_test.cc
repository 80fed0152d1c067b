// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "appliance/http/authority.h"
#include "appliance/http/cookie.h"
#include "appliance/http/query.h"

using namespace headgate::http;

namespace {

std::string pairs(std::string_view raw) {
  std::string all;
  QueryPair pair;
  for (QueryReader query(raw); query.next(pair);)
    all.append("[").append(pair.name).append("|").append(pair.value).append("]");
  return all;
}

std::string cookies(std::string_view raw) {
  std::string all;
  CookiePair pair;
  for (CookieReader cookie(raw); cookie.next(pair);)
    all.append("[").append(pair.name).append("|").append(pair.value).append("]");
  return all;
}

std::string authority(std::string_view text) {
  const auto parsed = parse_authority(text);
  if (!parsed) return "invalid";
  return parsed->host + (parsed->is_ipv6 ? " v6" : "") +
         (parsed->port ? " " + std::to_string(*parsed->port) : "");
}

}  // namespace

TEST_CASE("a query is taken apart in order and without decoding") {
  CHECK(pairs("a=1&b=2&a=3") == "[a|1][b|2][a|3]");
  CHECK(pairs("a&b=&=c&d=e=f") == "[a|][b|][|c][d|e=f]");
  CHECK(pairs("&&a=%26+x&") == "[a|%26+x]");
  CHECK(pairs("").empty());
  CHECK(pairs("a;b=1") == "[a;b|1]");
  QueryPair pair;
  QueryReader reader("a&b=");
  REQUIRE(reader.next(pair));
  CHECK(pair.raw == "a");
  REQUIRE(reader.next(pair));
  CHECK(pair.raw == "b=");
}

TEST_CASE("a target splits at its first question mark") {
  std::string_view path;
  std::string_view query;
  split_target("/a?b?c", path, query);
  CHECK(path == "/a");
  CHECK(query == "b?c");
  split_target("/a", path, query);
  CHECK(path == "/a");
  CHECK(query.empty());
}

TEST_CASE("cookies are taken apart leniently, and crumbs are joined") {
  CHECK(cookies("a=1; b=2") == "[a|1][b|2]");
  CHECK(cookies(" a = 1 ;;b=\"x=y\"; c;") == "[a|1][b|\"x=y\"][c|]");
  CHECK(cookies("").empty());
  std::string buffer;
  CHECK_FALSE(join_cookies({}, buffer));
  const std::vector<Field> one = {{"cookie", "a=1"}};
  CHECK(join_cookies(one, buffer) == "a=1");
  CHECK(buffer.empty());
  const std::vector<Field> crumbs = {
      {"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c"}};
  CHECK(join_cookies(crumbs, buffer) == "a=1; b=2; c");
}

TEST_CASE("hosts come out in lower case, without the trailing dot and with their port apart") {
  CHECK(authority("Example.COM") == "example.com");
  CHECK(authority("example.com.:8080") == "example.com 8080");
  CHECK(authority("example.com:") == "example.com");
  CHECK(authority("192.0.2.1:80") == "192.0.2.1 80");
  CHECK(authority("[2001:DB8:0::1]:443") == "2001:db8::1 v6 443");
  CHECK(authority("[::1]") == "::1 v6");
  CHECK(authority("a_b-c.example") == "a_b-c.example");
}

TEST_CASE("what is no host and port is refused") {
  for (const char* text : {"",
                           ":80",
                           ".",
                           "a b",
                           "user@host",
                           "host/path",
                           "host:80a",
                           "host:65536",
                           "host:-1",
                           "2001:db8::1",
                           "[::1",
                           "[::1]x",
                           "[]",
                           "[::g]",
                           "[1.2.3.4]",
                           "host:80:90",
                           "ho\tst",
                           "ho#st",
                           "host:99999999999",
                           "[fe80::1%eth0]",
                           "\x80host"}) {
    CAPTURE(text);
    CHECK(authority(text) == "invalid");
  }
  CHECK(authority(std::string_view("ho\0st", 5)) == "invalid");
  CHECK(authority(std::string_view("[::1\0]", 6)) == "invalid");
}
