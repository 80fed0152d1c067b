// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "reconciler/plan/replay.h"
#include "tests/support/compiled_fixture.h"

using namespace headgate;
using reconciler::RecordedRequest;
using reconciler::Replay;

namespace {

std::string repository(const std::string& policy, const std::string& more = "",
                       const std::string& resources = "") {
  return R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: shop }
spec:
  aliases: [shop.example]
  origins:
    - { id: web, domainName: web.internal }
    - { id: api, domainName: api.internal }
  defaultCacheBehavior: { targetOriginId: web, viewerProtocolPolicy: allow-all, cachePolicy: p }
)" + more +
         R"(
---
apiVersion: headgate/v1
kind: CachePolicy
metadata: { name: p }
spec: )" +
         policy + "\n" + resources;
}

RecordedRequest get(const std::string& url, int second = 0) {
  RecordedRequest request;
  request.method = "GET";
  request.url = url;
  request.time = Timestamp(std::chrono::seconds(1'700'000'000 + second));
  request.bytes_sent = 100;
  return request;
}

reconciler::ReplayReport replay(const std::string& before, const std::string& after,
                                const std::vector<RecordedRequest>& requests) {
  Replay run(test::compile(before), test::compile(after));
  for (const auto& request : requests) run.add(request);
  return run.report();
}

const reconciler::ReplayChange* find(const reconciler::ReplayReport& report,
                                     const std::string& what) {
  for (const auto& change : report.changes)
    if (change.what == what) return &change;
  return nullptr;
}

const std::string kPolicy = "{ defaultTTL: 1m }";
const std::string kAll =
    "{ defaultTTL: 1m, parametersInCacheKeyAndForwardedToOrigin: { "
    "queryStrings: { behavior: all } } }";

std::vector<RecordedRequest> read(const std::string& text, reconciler::LogReport* report) {
  std::istringstream log(text);
  std::vector<RecordedRequest> requests;
  *report = reconciler::read_requests(
      log, [&](const RecordedRequest& request) { requests.push_back(request); });
  return requests;
}

}  // namespace

TEST_CASE("under the same configuration nothing changes") {
  const auto report = replay(repository(kPolicy), repository(kPolicy),
                             {get("https://shop.example/a"), get("http://other.example/")});
  CHECK(report.requests == 2);
  CHECK(report.changed == 0);
  CHECK(report.changes.empty());
}

TEST_CASE("requests are grouped by what changes, with an example each") {
  const std::string after = repository(
      kPolicy,
      "  cacheBehaviors: [{ pathPattern: /api/*, targetOriginId: api, viewerProtocolPolicy: "
      "https-only, cachePolicy: p }]\n  restrictions: { geo: { type: blacklist, locations: [KP] } "
      "}");
  auto from_kp = get("https://shop.example/");
  from_kp.country = "KP";
  const auto report =
      replay(repository(kPolicy), after,
             {get("https://shop.example/api/1"), get("https://shop.example/api/2"),
              get("http://shop.example/api/2"), from_kp, get("https://shop.example/")});
  CHECK(report.changed == 4);
  const auto* behavior = find(report, "behavior");
  REQUIRE(behavior != nullptr);
  CHECK(behavior->count == 3);
  CHECK(behavior->before == "*");
  CHECK(behavior->after == "/api/*");
  CHECK(behavior->example == "GET https://shop.example/api/1");
  CHECK(&report.changes.front() == behavior);  // the most frequent first
  std::vector<std::string> answers;
  for (const auto& change : report.changes)
    if (change.what == "answer") answers.push_back(change.before + " > " + change.after);
  std::sort(answers.begin(), answers.end());
  CHECK(answers == std::vector<std::string>{"origin web > 403 geo", "origin web > 403 https_only",
                                            "origin web > origin api"});
  CHECK(report.after.refused == 2);
}

TEST_CASE("redirects, TTLs, cache keys and headers are compared") {
  const std::string after = repository(
      "{ defaultTTL: 2m, parametersInCacheKeyAndForwardedToOrigin: { queryStrings: { behavior: "
      "all } } }",
      "", R"(---
apiVersion: headgate/v1
kind: ResponseHeadersPolicy
metadata: { name: h }
spec: { customHeaders: [{ header: X-A, value: new, override: true }] }
)");
  std::string with_headers = after;
  with_headers.replace(with_headers.find("allow-all, cachePolicy: p"), 25,
                       "redirect-to-https, cachePolicy: p, responseHeadersPolicy: h");
  const auto report = replay(repository(kPolicy), with_headers,
                             {get("https://shop.example/a?x=1"), get("http://shop.example/b")});
  REQUIRE(find(report, "ttl") != nullptr);
  CHECK(find(report, "ttl")->before == "1m");
  CHECK(find(report, "cache key")->count == 1);
  CHECK(find(report, "header x-a")->before == "none");
  CHECK(find(report, "header x-a")->after == "new");
  CHECK(find(report, "answer")->after == "301 to https://shop.example/b");
}

TEST_CASE("hits and requests to origins are those of a cache that is empty at first") {
  const std::vector<RecordedRequest> requests = {
      get("https://shop.example/a?x=1", 0), get("https://shop.example/a?x=2", 1),
      get("https://shop.example/a?x=1", 2), get("https://shop.example/a?x=1", 61)};
  const auto report = replay(repository(kPolicy), repository(kAll), requests);
  CHECK(report.before.cacheable == 4);
  CHECK(report.before.hits == 2);  // the last one came when the first was stale
  CHECK(report.before.origin_requests == 2);
  CHECK(report.before.origin_bytes == 200);
  CHECK(report.after.hits == 1);
  CHECK(report.after.origin_requests == 3);
}

TEST_CASE("as many differences as requests do not fill the memory") {
  std::vector<RecordedRequest> requests;
  for (int i = 0; i < 5000; ++i)
    requests.push_back(get("http://shop.example/" + std::to_string(i)));
  std::string after = repository(kPolicy);
  after.replace(after.find("allow-all"), 9, "redirect-to-https");
  const auto report = replay(repository(kPolicy), after, requests);
  CHECK(report.changed == 5000);
  CHECK(report.changes.size() < 1100);
  std::uint64_t answers = 0;
  for (const auto& change : report.changes)
    if (change.what == "answer") answers += change.count;
  CHECK(answers == 5000);
  CHECK(to_text(report).find("various") != std::string::npos);
}

TEST_CASE("what no request can be like is counted") {
  auto odd = get("ftp://shop.example/");
  auto client = get("https://shop.example/");
  client.client = "nobody";
  const auto report = replay(repository(kPolicy), repository(kPolicy), {odd, client});
  CHECK(report.unusable == 2);
  CHECK(to_json(report)["unusable"] == 2);
}

TEST_CASE("text for people shows nothing that could move a cursor") {
  const auto report = replay(repository(kPolicy), repository(kPolicy, "  enabled: false"),
                             {get("https://shop.example/\x1b[2J")});
  CHECK(to_text(report).find('\x1b') == std::string::npos);
}

TEST_CASE("lines of our access log are read") {
  reconciler::LogReport report;
  const auto requests = read(
      R"({"time":"2026-11-20T10:32:01.045Z","client":"2001:db8::7","country":"DE","method":"GET","scheme":"https","host":"shop.example","target":"/img?v=2","user_agent":"curl","referer":"https://a/","bytes_sent":18231}
{"method":"GET"}

not a line of ours
{"method":"GET","scheme":"http","host":"a","target":"/","time":"yesterday"}
)",
      &report);
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].url == "https://shop.example/img?v=2");
  CHECK(format_timestamp(requests[0].time) == "2026-11-20T10:32:01.045Z");
  CHECK(requests[0].client == "2001:db8::7");
  CHECK(requests[0].country == "DE");
  CHECK(requests[0].bytes_sent == 18231);
  CHECK(requests[0].headers == std::vector<std::pair<std::string, std::string>>{
                                   {"user-agent", "curl"}, {"referer", "https://a/"}});
  CHECK(report.skipped == 3);
  CHECK(report.first == 2);
  CHECK(report.first_problem.find("`method`") != std::string::npos);
}

TEST_CASE("lines of CloudFront's standard log are read") {
  const std::string head =
      "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) "
      "cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) "
      "x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken "
      "x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version "
      "fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type "
      "sc-content-type sc-content-len sc-range-start sc-range-end\n";
  const std::string line =
      "2026-11-20\t10:32:01\tFRA56-P1\t1045\t192.0.2.7\tGET\td111.cloudfront.net\t/view/my/"
      "file.html"
      "\t200\twww.displaymyfiles.com\tMozilla/4.0%20(compatible;%20MSIE%205.0b1)\tid=7\ta=b\tHit"
      "\tMRVMF7KydIvxMWfJIglgwHQwZsbG2IhRJ07sn9AkKUFSHS9EXAMPLE==\tshop.example\thttp\t23\t0.001\t-"
      "\t-\t-\tHit\tHTTP/2.0\t-\t-\t11040\t0.001\tHit\ttext/html\t78\t-\t-\r\n";
  reconciler::LogReport report;
  const auto requests = read(head + line + "too\tshort\n", &report);
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].url == "http://shop.example/view/my/file.html?id=7");
  CHECK(requests[0].client == "192.0.2.7");
  CHECK(requests[0].bytes_sent == 1045);
  CHECK(format_timestamp(requests[0].time) == "2026-11-20T10:32:01Z");
  CHECK(requests[0].headers == std::vector<std::pair<std::string, std::string>>{
                                   {"user-agent", "Mozilla/4.0 (compatible; MSIE 5.0b1)"},
                                   {"referer", "www.displaymyfiles.com"},
                                   {"cookie", "a=b"}});
  CHECK(report.skipped == 1);
  CHECK(read(line, &report).empty());  // without the order of its fields
  CHECK(report.first_problem.find("#Fields") != std::string::npos);
}
