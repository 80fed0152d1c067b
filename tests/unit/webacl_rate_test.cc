// SPDX-License-Identifier: MIT
// Rate rules: whom they count, and as whom.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/unit/webacl_fixture.h"

namespace headgate::test::acl {
namespace {

TEST_CASE("a rate rule lets as many through as it says, and says when the next may come") {
  Fixture fixture(
      "  rules: [{ name: r, rate: { limit: 2, window: 10s, key: [ip, 'header:x-key', path] }, "
      "action: "
      "block }]\n");
  Request request{.target = "/a", .headers = {{"x-key", "k"}}};
  CHECK_FALSE(blocks(fixture, request));
  request.now_ms = 4000;
  CHECK_FALSE(blocks(fixture, request));
  request.now_ms = 5000;
  const Result over = inspect(fixture, request);
  CHECK(over.outcome == Outcome::Block);
  CHECK(over.retry_after == std::chrono::milliseconds(5000));
  Request other = request;
  other.headers[0].second = "l";
  CHECK_FALSE(blocks(fixture, other));
  other = request;
  other.client = "192.0.2.2";
  CHECK_FALSE(blocks(fixture, other));
  other = request;
  other.target = "/b";
  CHECK_FALSE(blocks(fixture, other));
  // Who lacks a part of the key is not counted.
  for (int i = 0; i < 5; ++i) CHECK_FALSE(blocks(fixture, {.target = "/a", .now_ms = 5000}));
  request.now_ms = 10000;
  CHECK_FALSE(blocks(fixture, request));
}

TEST_CASE("every key of a rate rule tells clients apart") {
  struct Case {
    const char* key;
    Request one;
    Request other;
  };
  const std::vector<Case> cases = {
      {"ip", {.client = "192.0.2.1"}, {.client = "192.0.2.2"}},
      {"ip", {.client = "2001:db8::1"}, {.client = "2001:db8:0:1::1"}},
      {"forwarded_ip", with("x-forwarded-for", "1.1.1.1"), with("x-forwarded-for", "1.1.1.2")},
      {"'forwarded_ip:x-ip'", with("x-ip", "1.1.1.1"), with("x-ip", "1.1.1.2")},
      {"'header:x-a'", with("x-a", "1"), with("x-a", "2")},
      {"'cookie:sid'", with("cookie", "sid=1"), with("cookie", "sid=2")},
      {"'arg:q'", get("/?q=1"), get("/?q=2")},
      {"path", get("/a"), get("/b")},
      {"method", {.method = "GET"}, {.method = "PUT"}},
      {"country", {.country = "DE"}, {.country = "FR"}},
      {"asn", {.asn = 1}, {.asn = 2}},
      {"ja4", {.ja4 = "a"}, {.ja4 = "b"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.key);
    Fixture fixture(std::string("  rules: [{ name: r, rate: { limit: 1, key: [") + each.key +
                    "] }, action: block }]\n");
    CHECK_FALSE(blocks(fixture, each.one));
    CHECK(blocks(fixture, each.one));
    CHECK_FALSE(blocks(fixture, each.other));
  }
  Fixture labels(R"(
  rules:
    - { name: a, when: { path: { exact: /a } }, labels: ["who:a"], action: count }
    - { name: b, when: { path: { exact: /b } }, labels: ["who:b"], action: count }
    - { name: r, rate: { limit: 1, key: ["label:who:"] }, action: block }
)");
  CHECK_FALSE(blocks(labels, get("/a")));
  CHECK(blocks(labels, get("/a")));
  CHECK_FALSE(blocks(labels, get("/b")));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(blocks(labels, get("/c")));
}

TEST_CASE("who sends no address to be counted by is counted by the connection's") {
  Fixture fixture(
      "  rules: [{ name: r, rate: { limit: 1, key: [forwarded_ip] }, action: block }]\n");
  CHECK_FALSE(blocks(fixture, with("x-forwarded-for", "unknown")));
  CHECK(blocks(fixture, with("x-forwarded-for", "_, 1.1.1.1")));
  CHECK(blocks(fixture, get("/")));
  Request other = get("/");
  other.client = "192.0.2.2";
  CHECK_FALSE(blocks(fixture, other));
}

TEST_CASE("an empty value in front does not hide the one that counts") {
  struct Case {
    const char* key;
    Request request;
  };
  const std::vector<Case> cases = {
      {"'arg:q'", get("/?q=&q=1")},
      {"'cookie:sid'", with("cookie", "sid=; sid=1")},
      {"'header:x-a'", {.headers = {{"x-a", ""}, {"x-a", "1"}}}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.key);
    Fixture fixture(std::string("  rules: [{ name: r, rate: { limit: 1, key: [") + each.key +
                    "] }, action: block }]\n");
    CHECK_FALSE(blocks(fixture, each.request));
    CHECK(blocks(fixture, each.request));
  }
}

TEST_CASE("IPv6 addresses of one /64 are one client") {
  Fixture fixture("  rules: [{ name: r, rate: { limit: 1 }, action: block }]\n");
  CHECK_FALSE(blocks(fixture, {.client = "2001:db8::1"}));
  CHECK(blocks(fixture, {.client = "2001:db8::ffff"}));
}

TEST_CASE("counters stay when the rule stays, and begin anew when it changes") {
  const std::string rule = "{ name: r, rate: { limit: 1 }, action: block }";
  Fixture fixture("  rules: [" + rule + "]\n");
  CHECK_FALSE(blocks(fixture, get("/")));
  const auto recompile = [&](const std::string& spec) {
    fixture.acl = *Acl::compile(*load(spec), {fixture.shared, nullptr});
  };
  recompile("  rules: [{ name: other, action: count }, " + rule + "]\n");
  CHECK(blocks(fixture, get("/")));
  recompile("  rules: [{ name: r, rate: { limit: 1, window: 6m }, action: block }]\n");
  CHECK_FALSE(blocks(fixture, get("/")));
}

}  // namespace
}  // namespace headgate::test::acl
