// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "appliance/snapshot/expect.h"
#include "tests/support/compiled_fixture.h"

using headgate::test::compile;
namespace snapshot = headgate::snapshot;

namespace {

std::string repository(const std::string& cases) {
  return R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: shop }
spec:
  aliases: [shop.example.com]
  origins:
    - { id: pages, domainName: pages.internal, customHeaders: { X-Key: s3cret } }
  restrictions: { geo: { type: blacklist, locations: ["KP"] } }
  defaultCacheBehavior: { targetOriginId: pages, viewerProtocolPolicy: redirect-to-https, cachePolicy: p }
---
apiVersion: headgate/v1
kind: CachePolicy
metadata: { name: p }
spec:
  defaultTTL: 5m
  parametersInCacheKeyAndForwardedToOrigin: { queryStrings: { behavior: whitelist, items: [page] } }
---
apiVersion: headgate/v1
kind: Expect
metadata: { name: e }
spec:
  distribution: shop
  cases:
)" + cases;
}

}  // namespace

TEST_CASE("cases that hold are counted and not reported") {
  const auto report = snapshot::run_expectations(*compile(repository(R"(
    - request: { url: "https://shop.example.com/x?page=2&utm=1", country: DE }
      expect: { behavior: "*", originId: pages, cacheKey: { query: { page: "2" } }, ttl: 5m }
    - request: { url: "https://shop.example.com/", country: KP }
      expect: { status: 403, reason: geo }
    - request: { method: GET, url: "http://shop.example.com/" }
      expect: { status: 301, headers: { location: "https://shop.example.com/" } }
    - request: { method: POST, url: "https://shop.example.com/" }
      expect: { status: 405, headers: { allow: "GET, HEAD" } }
)")));
  CHECK(report.cases == 4);
  for (const auto& failure : report.failures) MESSAGE(failure.message);
  CHECK(report.failures.empty());
}

TEST_CASE("a case that does not hold says what was expected and what came") {
  const auto check = [](const std::string& expect, const std::string& message) {
    const auto report = snapshot::run_expectations(
        *compile(repository("    - request: { url: \"https://shop.example.com/x?page=2\", country: "
                            "DE }\n      expect: " +
                            expect + "\n")));
    REQUIRE(report.failures.size() == 1);
    CHECK(report.failures[0].message == message);
    CHECK(report.failures[0].request == "GET https://shop.example.com/x?page=2");
    CHECK(report.failures[0].line > 0);
  };
  check("{ status: 403 }", "status: expected 403, got a request to origin pages");
  check("{ reason: geo }", "reason: expected geo, got none");
  check("{ ttl: 1m }", "ttl: expected 1m, got 5m");
  check("{ cacheKey: { query: {} } }", "cacheKey.query: expected {}, got {page: \"2\"}");
  check("{ headers: { x-mark: a } }", "header x-mark: expected a, got no such header");
}

TEST_CASE("explain tells the decision step by step and keeps secrets") {
  const auto text =
      snapshot::explain(*compile(repository("    - request: { url: \"https://shop.example.com/\" "
                                            "}\n      expect: { behavior: \"*\" }\n")),
                        {"GET", "https://shop.example.com/x?page=2&utm=1", {}, "DE", ""});
  REQUIRE(text.has_value());
  for (const char* part :
       {"distribution         shop", "behavior             *", "cache key            /x?page=2\n",
        "ttl                  5m", "GET https://pages.internal/x?page=2", "x-key: (secret)",
        "country              DE"}) {
    CAPTURE(part);
    CHECK(text->find(part) != std::string::npos);
  }
  CHECK(text->find("s3cret") == std::string::npos);
}

TEST_CASE("explain refuses what is no URL") {
  const auto configuration =
      compile(repository("    - request: { url: \"https://shop.example.com/\" }\n      expect: { "
                         "behavior: \"*\" }\n"));
  CHECK_FALSE(
      snapshot::explain(*configuration, {"GET", "shop.example.com/x", {}, "", ""}).has_value());
  CHECK_FALSE(snapshot::explain(*configuration, {"GET", "https:///x", {}, "", ""}).has_value());
  CHECK_FALSE(snapshot::explain(*configuration, {"GET", "https://a/b c", {}, "", ""}).has_value());
}
