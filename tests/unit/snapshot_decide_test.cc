// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "tests/support/compiled_fixture.h"

using headgate::guard::Reason;
using headgate::snapshot::Decision;
using headgate::test::compile;
using headgate::test::Decided;

namespace {

const char* const kShop = R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: shop }
spec:
  aliases: [shop.example.com, "2001:db8::1"]
  defaultRootObject: index.html
  origins:
    - { id: pages, domainName: pages.internal, custom: { httpPort: 8001, originProtocolPolicy: http-only } }
    - { id: api, domainName: api.internal, custom: { originProtocolPolicy: https-only } }
  restrictions: { geo: { type: blacklist, locations: ["KP"] } }
  defaultCacheBehavior:
    targetOriginId: pages
    viewerProtocolPolicy: redirect-to-https
    allowedMethods: [GET, HEAD]
    cachePolicy: keyed
  cacheBehaviors:
    - pathPattern: /api/*
      targetOriginId: api
      viewerProtocolPolicy: https-only
      allowedMethods: [ALL]
      cachePolicy: Managed-CachingDisabled
    - pathPattern: /de/*
      targetOriginId: pages
      viewerProtocolPolicy: allow-all
      restrictions: { geo: { type: whitelist, locations: ["DE", "NO"] } }
---
apiVersion: headgate/v1
kind: CachePolicy
metadata: { name: keyed }
spec:
  defaultTTL: 5m
  parametersInCacheKeyAndForwardedToOrigin:
    enableAcceptEncodingGzip: true
    enableAcceptEncodingBrotli: true
    queryStrings: { behavior: whitelist, items: [page, q] }
    headers: { behavior: whitelist, items: [CloudFront-Viewer-Country, Accept-Language] }
    cookies: { behavior: whitelist, items: [session] }
---
apiVersion: headgate/v1
kind: Distribution
metadata: { name: closed }
spec:
  enabled: false
  aliases: [closed.example.com]
  compat: cloudfront
  origins: [{ id: o, domainName: o.internal }]
  defaultCacheBehavior: { targetOriginId: o, viewerProtocolPolicy: allow-all }
)";

struct Denied {
  int status;
  Reason reason;
};

void check_denied(const Decided& decided, Denied expected) {
  CHECK(decided.decision.action == Decision::Action::Deny);
  CHECK(decided.decision.status == expected.status);
  CHECK(decided.decision.reason == expected.reason);
}

}  // namespace

TEST_CASE("a host that no distribution claims is misdirected, a disabled one unavailable") {
  const auto configuration = compile(kShop);
  check_denied({configuration, "GET", "https://other.example.com/"}, {421, Reason::UnknownHost});
  check_denied({configuration, "GET", "https://closed.example.com/"},
               {503, Reason::DistributionDisabled});
  check_denied({configuration, "GET", "https://x/", {{"host", "a b"}}}, {400, Reason::BadRequest});
}

TEST_CASE("hosts are found whatever their case, port, brackets and trailing dot") {
  const auto configuration = compile(kShop);
  for (const char* host :
       {"SHOP.example.com", "shop.example.com.", "shop.example.com:8443", "[2001:db8::1]:8443"}) {
    const Decided decided(configuration, "GET", "https://x/", {{"host", host}});
    CAPTURE(host);
    CHECK(decided.decision.action == Decision::Action::Serve);
  }
}

TEST_CASE("the first behavior that matches the viewer's path serves, else the default one") {
  const auto configuration = compile(kShop);
  const auto behavior = [&](const char* url) {
    return Decided(configuration, "GET", url, {}, "DE").decision.behavior->pattern.text();
  };
  CHECK(behavior("https://shop.example.com/api/products") == "/api/*");
  CHECK(behavior("https://shop.example.com/de/x") == "/de/*");
  CHECK(behavior("https://shop.example.com/api") == "*");
}

TEST_CASE("behaviors, keys and redirects know one form of a path") {
  const auto configuration = compile(kShop);
  for (const char* path :
       {"/api/x", "/%61pi/x", "/de/../api/x", "/de/%2e%2E/api/./x", "/../api/x"}) {
    CAPTURE(path);
    const Decided decided(configuration, "GET", std::string("https://shop.example.com") + path, {},
                          "DE");
    CHECK(decided.decision.behavior->pattern.text() == "/api/*");
    CHECK(decided.decision.path == "/api/x");
    CHECK(
        Decided(configuration, "GET", std::string("http://shop.example.com/x/..") + path + "?q=%7e")
            .decision.path == "/api/x");
  }
  CHECK(
      Decided(configuration, "GET", "https://shop.example.com/b/../%7ea?q=%7e").decision.key.path ==
      "/~a?q=%7e");
  CHECK(Decided(configuration, "GET", "http://shop.example.com/b/%2e%2e/%7ea?b=/../%7e")
            .decision.location == "https://shop.example.com/~a?b=/../%7e");
}

TEST_CASE("a path that servers disagree about is a bad request") {
  const auto configuration = compile(kShop);
  for (const char* path : {"/%zz", "/a%00", "/de/..%2fapi/x", "/a\\..\\b"})
    check_denied({configuration, "GET", std::string("https://shop.example.com") + path},
                 {400, Reason::BadRequest});
}

TEST_CASE(
    "http is redirected by 301 for GET and HEAD, by 307 for the rest, and refused below HTTP/1.1") {
  const auto configuration = compile(kShop);
  const Decided get(configuration, "GET", "http://shop.example.com/a?b=c");
  CHECK(get.decision.status == 301);
  CHECK(get.decision.location == "https://shop.example.com/a?b=c");
  CHECK(Decided(configuration, "HEAD", "http://shop.example.com/").decision.status == 301);
  CHECK(Decided(configuration, "POST", "http://shop.example.com/").decision.status == 307);

  Decided old(configuration, "POST", "http://shop.example.com/");
  old.facts.http_version = 0x100;
  old.decision = headgate::snapshot::decide(*configuration, old.facts, old.memory);
  check_denied(old, {403, Reason::HttpsOnly});
}

TEST_CASE("a redirect leads to the https port only for those who named a port") {
  const auto configuration = compile(kShop);
  Decided decided(configuration, "GET", "http://shop.example.com:8080/");
  decided.facts.https_port = 8443;
  CHECK(headgate::snapshot::decide(*configuration, decided.facts, decided.memory).location ==
        "https://shop.example.com:8443/");
  Decided usual(configuration, "GET", "http://shop.example.com/");
  usual.facts.https_port = 8443;
  CHECK(headgate::snapshot::decide(*configuration, usual.facts, usual.memory).location ==
        "https://shop.example.com/");
}

TEST_CASE("https-only refuses http, and the country comes before both") {
  const auto configuration = compile(kShop);
  check_denied({configuration, "GET", "http://shop.example.com/api/x"}, {403, Reason::HttpsOnly});
  check_denied({configuration, "GET", "http://shop.example.com/api/x", {}, "KP"},
               {403, Reason::Geo});
}

TEST_CASE(
    "an unknown country passes a blacklist and not a whitelist; a behavior's list replaces the "
    "distribution's") {
  const auto configuration = compile(kShop);
  CHECK(Decided(configuration, "GET", "https://shop.example.com/").decision.action ==
        Decision::Action::Serve);
  check_denied({configuration, "GET", "https://shop.example.com/de/x"}, {403, Reason::Geo});
  CHECK(Decided(configuration, "GET", "https://shop.example.com/de/x", {}, "NO").decision.action ==
        Decision::Action::Serve);
}

TEST_CASE("a method that is not allowed is 405 with Allow; ALL lets any method pass, uncached") {
  const auto configuration = compile(kShop);
  const Decided post(configuration, "POST", "https://shop.example.com/");
  check_denied(post, {405, Reason::Method});
  CHECK(post.decision.behavior->allow == "GET, HEAD");
  const Decided odd(configuration, "PURGE", "https://shop.example.com/api/x");
  CHECK(odd.decision.action == Decision::Action::Serve);
  CHECK_FALSE(odd.decision.uses_cache);
}

TEST_CASE("a request that came past us three times goes in circles") {
  const auto configuration = compile(kShop);
  check_denied({configuration,
                "GET",
                "https://shop.example.com/",
                {{"cdn-loop", "headgate, other; a=b, headgate, headgate"}}},
               {508, Reason::LoopDetected});
  CHECK(Decided(configuration, "GET", "https://shop.example.com/", {{"cdn-loop", "headgate"}})
            .decision.action == Decision::Action::Serve);
}

TEST_CASE("the default root object stands for / and for nothing else") {
  const auto configuration = compile(kShop);
  CHECK(Decided(configuration, "GET", "https://shop.example.com/?page=2").decision.path ==
        "/index.html");
  CHECK(Decided(configuration, "GET", "https://shop.example.com/sub/").decision.path == "/sub/");
}

TEST_CASE("the cache key has what the policy names, in its order, and nothing else") {
  const auto configuration = compile(kShop);
  const Decided decided(configuration, "GET",
                        "https://shop.example.com/list?utm=1&q=a%20b&page=2&q=c",
                        {{"cookie", "other=1; session=abc"},
                         {"accept-language", "de"},
                         {"accept-encoding", "gzip, deflate, br;q=0.5, zstd"},
                         {"user-agent", "x"}},
                        "DE");
  CHECK(decided.decision.key.text ==
        "shop\nGET\npages.internal:8001\n/list?q=a%20b&page=2&q=c\naccept-language:de\n"
        "cloudfront-viewer-country:DE\ncookie:session=abc\naccept-encoding:br,gzip");
  CHECK(decided.decision.key.path == "/list?q=a%20b&page=2&q=c");
}

TEST_CASE("an absent header and an empty one make different keys; HEAD shares GET's") {
  const auto configuration = compile(kShop);
  const auto key = [&](const char* method, const headgate::test::Headers& headers) {
    return std::string(
        Decided(configuration, method, "https://shop.example.com/x", headers).decision.key.text);
  };
  CHECK(key("GET", {}) != key("GET", {{"accept-language", ""}}));
  CHECK(key("GET", {}) == key("HEAD", {}));
}

TEST_CASE("a coding with weight zero is not accepted") {
  const auto configuration = compile(kShop);
  const Decided decided(configuration, "GET", "https://shop.example.com/x",
                        {{"accept-encoding", "br;q=0, gzip;q=0.1"}});
  CHECK(decided.decision.accept_encoding == "gzip");
}

TEST_CASE("what a viewer says its country is does not count") {
  const auto configuration = compile(kShop);
  const Decided decided(configuration, "GET", "https://shop.example.com/x",
                        {{"cloudfront-viewer-country", "NO"}}, "DE");
  CHECK(decided.decision.key.text.find("cloudfront-viewer-country:DE") != std::string_view::npos);
}
