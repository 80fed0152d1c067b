// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdlib>

#include "appliance/guard/waf/challenge/challenge.h"
#include "appliance/snapshot/offline/expect.h"
#include "appliance/snapshot/offline/explain.h"
#include "schema/text.h"
#include "tests/support/certificate.h"
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

namespace {

/// What the one case says that does not hold; empty: it holds.
std::string failure_of(const snapshot::Configuration& configuration) {
  const auto report = snapshot::run_expectations(configuration);
  REQUIRE(report.cases == 1);
  return report.failures.empty() ? "" : report.failures[0].message;
}

std::string failure_of(const std::string& request, const std::string& expect,
                       const std::string& more = "") {
  return failure_of(*compile(
      repository("    - request: { " + request + " }\n      expect: { " + expect + " }\n" + more)));
}

constexpr const char* kRules = R"(---
apiVersion: headgate/v1
kind: WebACL
metadata: { name: acl }
spec:
  challenge: { secret: { valueFrom: { env: HEADGATE_TEST_CHALLENGE } } }
  rules:
    - { name: marks, when: { path: { prefix: /a } }, action: count, labels: ["from:a"] }
    - { name: refuses, when: { path: { exact: /ab } }, action: block }
    - { name: asks, when: { path: { exact: /work } }, action: { challenge: { kind: pow, bits: 8 } } }
)";

}  // namespace

TEST_CASE("what goes on to no origin has no origin, no key and no lifetime") {
  const std::string refused = R"(url: "https://shop.example.com/x?page=2", country: KP)";
  CHECK(failure_of(refused, "behavior: '*', cached: false, ttl: 0s") == "");
  CHECK(failure_of(refused, "originId: pages") ==
        "originId: expected pages, got an answer 403 of the edge");
  CHECK(failure_of(refused, "cached: true") ==
        "cached: expected true, got an answer 403 of the edge");
  CHECK(failure_of(refused, "ttl: 5m") == "ttl: expected 5m, got an answer 403 of the edge");
  CHECK(failure_of(refused, "cacheKey: { query: { page: '2' } }") ==
        "cacheKey: expected one, got an answer 403 of the edge");
  const std::string elsewhere = R"(url: "https://other.example.com/x")";
  CHECK(failure_of(elsewhere, "originId: pages") ==
        "originId: expected pages, got an answer 421 of the edge");
  CHECK(failure_of(elsewhere, "behavior: '*'") == "behavior: expected *, got none");
}

TEST_CASE("the cache key can be expected in all its parts, as it is normalised") {
  const std::string policy = R"(---
apiVersion: headgate/v1
kind: Distribution
metadata: { name: keyed }
spec:
  aliases: [keyed.example.com]
  origins: [{ id: pages, domainName: pages.internal }]
  defaultRootObject: index.html
  defaultCacheBehavior: { targetOriginId: pages, viewerProtocolPolicy: allow-all, cachePolicy: k }
---
apiVersion: headgate/v1
kind: CachePolicy
metadata: { name: k }
spec:
  parametersInCacheKeyAndForwardedToOrigin:
    enableAcceptEncodingGzip: true
    headers: { behavior: whitelist, items: [Host, Accept-Language, CloudFront-Viewer-Country, X-A] }
    normalize: { language: { supported: [de, en], default: en }, device: true, lowercaseHost: true }
)";
  const std::string request =
      R"(url: "http://KEYED.example.com/", country: DE, )"
      R"(headers: { Accept-Language: "fr, de-CH;q=0.5", User-Agent: iPhone, X-A: "1", Accept-Encoding: "gzip, br" })";
  CHECK(failure_of(request,
                   "cacheKey: { host: keyed.example.com, path: /index.html, device: mobile, "
                   "headers: { host: keyed.example.com, accept-language: de, x-a: '1', "
                   "cloudfront-viewer-country: DE, accept-encoding: gzip } }",
                   policy) == "");
  CHECK(failure_of(request, "cacheKey: { device: desktop }", policy) ==
        "cacheKey.device: expected desktop, got mobile");
  CHECK(failure_of(request, "cacheKey: { host: pages.internal }", policy) ==
        "cacheKey.host: expected pages.internal, got keyed.example.com");
  CHECK(failure_of(request, "cacheKey: { path: / }", policy) ==
        "cacheKey.path: expected /, got /index.html");
  CHECK(failure_of("method: OPTIONS, " + request, "cacheKey: { path: /index.html }", policy)
            .starts_with("cacheKey: expected one, got"));
}

TEST_CASE("a web ACL's verdict is also which rules matched and what labels they set") {
  ::setenv("HEADGATE_TEST_CHALLENGE", "0123456789abcdef", 1);
  const auto failure = [](const std::string& path, const std::string& expect) {
    std::string yaml = repository("    - request: { url: \"https://shop.example.com" + path +
                                  "\" }\n      expect: { " + expect + " }\n" + kRules);
    yaml.replace(yaml.find("  restrictions:"), 0, "  webAclRef: acl\n");
    return failure_of(*compile(yaml));
  };
  CHECK(failure("/a", "matchedRules: [marks], labels: ['from:a'], rule: none") == "");
  CHECK(failure("/x", "matchedRules: [], labels: []") == "");
  CHECK(failure("/ab", "matchedRules: [marks, refuses], rule: refuses, status: 403") == "");
  CHECK(failure("/ab", "matchedRules: [refuses]") ==
        "matchedRules: expected [refuses], got [marks, refuses]");
  CHECK(failure("/a", "labels: []") == "labels: expected [], got [from:a]");
}

TEST_CASE("a case says when its request comes: a proof of work ends") {
  ::setenv("HEADGATE_TEST_CHALLENGE", "0123456789abcdef", 1);
  using namespace headgate::guard::waf;
  const auto end = *headgate::parse_timestamp("2026-12-24T10:00:00Z");
  const std::string challenge =
      Challenges("0123456789abcdef")
          .issue({"shop.example.com", *headgate::base::IpAddress::parse("192.0.2.7"), ""}, 8, end);
  std::string proof;
  for (int nonce = 0; proof.empty(); ++nonce) {
    const std::string tried = challenge + "." + std::to_string(nonce);
    if (headgate::schema::sha256_hex(tried).starts_with("00")) proof = tried;
  }
  const auto failure = [&](const std::string& at, const std::string& expect) {
    std::string yaml = repository(
        "    - request: { url: \"https://shop.example.com/work\", ip: 192.0.2.7, headers: { "
        "Cookie: headgate-challenge=" +
        proof + " }" + at + " }\n      expect: { " + expect + " }\n" + kRules);
    yaml.replace(yaml.find("  restrictions:"), 0, "  webAclRef: acl\n");
    return failure_of(*compile(yaml));
  };
  CHECK(failure(", at: 2026-12-24T09:59:59Z", "originId: pages") == "");
  CHECK(failure(", at: 2026-12-24T11:00:00+01:00", "status: 403, reason: challenge, rule: asks") ==
        "");
  CHECK(failure(", at: 2040-01-01T00:00:00Z", "reason: challenge") == "");
}

TEST_CASE("a case says what viewers make of the certificate, and when") {
  const auto made = headgate::test::make_certificate("DNS:shop.example.com");
  headgate::schema::MemoryTree tree({{"shop.pem", made.certificate_pem}});
  const auto failure = [&](const std::string& url, const std::string& at,
                           const std::string& state) {
    std::string yaml = repository("    - request: { url: \"" + url + "\"" + at +
                                  " }\n      expect: { certificate: " + state + " }\n" + R"(---
apiVersion: headgate/v1
kind: Certificate
metadata: { name: c }
spec: { certificate: { file: shop.pem }, privateKey: { valueFrom: { env: NOT_HERE } } }
)");
    yaml.replace(yaml.find("  aliases: [shop.example.com]"), 29,
                 "  viewerCertificate: { certificateRef: c }\n  aliases: [shop.example.com, "
                 "b.example.com]");
    tree.put("repository.yaml", yaml);
    headgate::schema::Loader loader;
    const auto loaded = loader.load(tree);
    for (const auto& diagnostic : loaded.diagnostics) MESSAGE(diagnostic.text());
    REQUIRE(loaded.model != nullptr);
    // As `headgate test` does it, where the key is not.
    snapshot::CompileOptions options;
    options.resolve_secrets = false;
    return failure_of(*snapshot::compile(loaded.model, options, nullptr).configuration);
  };
  const std::string shop = "https://shop.example.com/";
  CHECK(failure(shop, "", "valid") == "");
  CHECK(failure("https://b.example.com/", "", "otherHost") == "");
  CHECK(failure(shop, ", at: 2999-01-01T00:00:00Z", "expired") == "");
  CHECK(failure(shop, ", at: 1999-01-01T00:00:00Z", "notYetValid") == "");
  CHECK(failure(shop, ", at: 2999-01-01T00:00:00Z", "valid") ==
        "certificate: expected valid, got expired");
  CHECK(failure("https://none.example.com/", "", "valid") ==
        "certificate: expected valid, got none");
  CHECK(failure_of("url: \"https://shop.example.com/\"", "certificate: selfSigned") == "");
}
