// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <map>

#include "appliance/snapshot/request/origin_request.h"
#include "tests/support/compiled_fixture.h"

using headgate::test::compile;
using headgate::test::Decided;
using headgate::test::Headers;
namespace snapshot = headgate::snapshot;

namespace {

std::string repository(const std::string& behavior, const std::string& more = "") {
  return R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: d }
spec:
  aliases: ["*"]
  origins:
    - id: o
      domainName: o.internal
      originPath: /live
      custom: { httpPort: 8001, httpsPort: 8443, originProtocolPolicy: match-viewer }
      customHeaders: { X-Edge-Auth: s3cret }
  defaultCacheBehavior:
    targetOriginId: o
    viewerProtocolPolicy: allow-all
    allowedMethods: [ALL]
)" + behavior +
         "\n" + more;
}

const char* const kForwardAll =
    "    cachePolicy: Managed-CachingDisabled\n    originRequestPolicy: Managed-AllViewer";

struct Sent {
  headgate::origin::Request request;
  std::map<std::string, std::string> fields;
};

Sent send(const std::string& yaml, const std::string& method, const std::string& url,
          const Headers& headers = {}, bool has_body = false) {
  Decided decided(compile(yaml), method, url, headers, "DE");
  const auto draft = snapshot::draft_origin_request(decided.decision, decided.facts, has_body,
                                                    nullptr, decided.memory);
  Sent sent{snapshot::address(draft, decided.decision.behavior->target->members.front()), {}};
  for (const auto& field : sent.request.fields.fields())
    sent.fields[std::string(field.name)] = field.value;
  return sent;
}

}  // namespace

TEST_CASE("the origin's path, port, scheme and name make the request line and Host") {
  const auto plain = send(repository(""), "GET", "http://shop.example.com/a/b?x=1");
  CHECK(plain.request.target == "/live/a/b");  // CachingOptimized forwards no query strings
  CHECK(plain.request.host_header == "o.internal:8001");
  CHECK(plain.request.scheme == headgate::origin::Scheme::Http);
  const auto secure = send(repository(kForwardAll), "GET", "https://shop.example.com/a?x=1&y");
  CHECK(secure.request.target == "/live/a?x=1&y");
  CHECK(secure.request.host_header == "shop.example.com");  // AllViewer forwards Host too
  CHECK(secure.request.scheme == headgate::origin::Scheme::Https);
}

TEST_CASE("without a policy only what a proxy says itself is sent") {
  const auto sent = send(repository(""), "GET", "http://shop.example.com/",
                         {{"user-agent", "x"},
                          {"cookie", "a=1"},
                          {"x-custom", "1"},
                          {"if-none-match", "\"e\""},
                          {"range", "bytes=0-1"}});
  CHECK(sent.fields == std::map<std::string, std::string>{{"x-forwarded-for", "192.0.2.7"},
                                                          {"x-forwarded-proto", "http"},
                                                          {"via", "1.1 headgate"},
                                                          {"cdn-loop", "headgate"},
                                                          {"x-edge-auth", "s3cret"}});
}

TEST_CASE("AllViewer forwards everything but hop-by-hop fields and what the edge says itself") {
  const auto sent = send(repository(kForwardAll), "GET", "http://shop.example.com/",
                         {{"user-agent", "x"},
                          {"cookie", "a=1"},
                          {"connection", "keep-alive, x-hop"},
                          {"x-hop", "1"},
                          {"te", "trailers"},
                          {"if-none-match", "\"e\""},
                          {"range", "bytes=0-1"},
                          {"x-edge-auth", "mine"},
                          {"cloudfront-viewer-country", "NO"},
                          {"x-forwarded-for", "203.0.113.9"},
                          {"via", "1.1 other"}});
  CHECK(sent.fields.at("user-agent") == "x");
  CHECK(sent.fields.at("cookie") == "a=1");
  CHECK(sent.fields.at("if-none-match") == "\"e\"");
  CHECK(sent.fields.at("range") == "bytes=0-1");
  CHECK(sent.fields.at("x-edge-auth") == "s3cret");  // the origin's custom header wins
  CHECK(sent.fields.at("x-forwarded-for") == "203.0.113.9, 192.0.2.7");
  CHECK(sent.fields.at("via") == "1.1 other, 1.1 headgate");
  for (const char* name : {"x-hop", "connection", "te", "cloudfront-viewer-country", "host"})
    CHECK(sent.fields.count(name) == 0);
}

TEST_CASE("the description of a body goes with the body, whatever the policy") {
  const Headers headers = {{"content-type", "text/plain"}, {"content-length", "3"}};
  const auto with = send(repository("    cachePolicy: Managed-CachingDisabled"), "POST",
                         "http://x/", headers, true);
  CHECK(with.fields.at("content-type") == "text/plain");
  CHECK(with.fields.count("content-length") == 0);  // framing is the client's
  CHECK(send(repository("    cachePolicy: Managed-CachingDisabled"), "GET", "http://x/", headers)
            .fields.count("content-type") == 0);
}

TEST_CASE("what is in the key is forwarded, together with what the origin request policy adds") {
  const std::string policies = R"(---
apiVersion: headgate/v1
kind: CachePolicy
metadata: { name: c }
spec:
  parametersInCacheKeyAndForwardedToOrigin:
    queryStrings: { behavior: whitelist, items: [a] }
    headers: { behavior: whitelist, items: [Accept-Language] }
    cookies: { behavior: whitelist, items: [s] }
---
apiVersion: headgate/v1
kind: OriginRequestPolicy
metadata: { name: r }
spec:
  queryStrings: { behavior: whitelist, items: [b] }
  headers: { behavior: whitelist, items: [Referer, CloudFront-Viewer-Country] }
  cookies: { behavior: allExcept, items: [private] }
)";
  const auto sent = send(repository("    cachePolicy: c\n    originRequestPolicy: r", policies),
                         "GET", "http://x/p?b=2&c=3&a=1",
                         {{"accept-language", "de"},
                          {"referer", "r"},
                          {"user-agent", "x"},
                          {"cookie", "private=1; s=2; t=3"}});
  CHECK(sent.request.target == "/live/p?b=2&a=1");
  CHECK(sent.fields.at("accept-language") == "de");
  CHECK(sent.fields.at("referer") == "r");
  CHECK(sent.fields.at("cloudfront-viewer-country") == "DE");
  CHECK(sent.fields.at("cookie") == "s=2; t=3");
  CHECK(sent.fields.count("user-agent") == 0);
}

TEST_CASE("Accept-Encoding goes normalised where the policy compresses, and not at all elsewhere") {
  const Headers headers = {{"accept-encoding", "deflate, gzip, br"}};
  CHECK(send(repository(""), "GET", "http://x/", headers).fields.at("accept-encoding") ==
        "br,gzip");
  CHECK(send(repository("    cachePolicy: Managed-CachingDisabled"), "GET", "http://x/", headers)
            .fields.count("accept-encoding") == 0);
  CHECK(send(repository(kForwardAll), "GET", "http://x/", headers).fields.at("accept-encoding") ==
        "deflate, gzip, br");
}

TEST_CASE("a stale response's validators make the request conditional") {
  Decided decided(compile(repository("")), "HEAD", "http://x/p");
  const std::vector<headgate::http::Field> fields = {
      {"etag", "\"v1\""}, {"last-modified", "Fri, 20 Nov 2026 10:00:00 GMT"}};
  const auto stale = headgate::cache::StoredResponse::make(
      decided.decision.key, 200, fields, headgate::cache::Body::of("x"), headgate::cache::Stamp{},
      headgate::base::MonoTime{}, headgate::base::MonoTime{}, headgate::base::WallTime{},
      headgate::Duration{});
  const auto draft = snapshot::draft_origin_request(decided.decision, decided.facts, false,
                                                    stale.get(), decided.memory);
  CHECK(draft.method == "GET");  // a HEAD that fills the cache asks for the content
  std::map<std::string, std::string> sent(draft.fields.begin(), draft.fields.end());
  CHECK(sent.at("if-none-match") == "\"v1\"");
  CHECK(sent.at("if-modified-since") == "Fri, 20 Nov 2026 10:00:00 GMT");
}
