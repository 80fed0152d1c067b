// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <map>
#include <memory_resource>

#include "appliance/snapshot/offline/explain.h"
#include "appliance/snapshot/request/device.h"
#include "appliance/snapshot/request/normalize.h"
#include "appliance/snapshot/request/origin_request.h"
#include "tests/support/compiled_fixture.h"

using headgate::http::find;
using headgate::schema::Normalize;
using headgate::snapshot::classify_device;
using headgate::snapshot::DeviceClass;
using headgate::test::compile;
using headgate::test::Decided;
using headgate::test::Headers;
namespace snapshot = headgate::snapshot;

namespace {

const char* const kPhone =
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36";
const char* const kTablet =
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1";
const char* const kDesktop =
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";

std::string repository(const std::string& parameters, const std::string& behavior = "") {
  return R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: d }
spec:
  aliases: ["*"]
  origins: [{ id: o, domainName: o.internal }]
  defaultCacheBehavior:
    targetOriginId: o
    viewerProtocolPolicy: allow-all
    cachePolicy: c
)" + behavior +
         R"(
---
apiVersion: headgate/v1
kind: CachePolicy
metadata: { name: c }
spec:
  parametersInCacheKeyAndForwardedToOrigin:
)" + parameters;
}

std::string key(const std::string& yaml, const std::string& url, const Headers& headers = {}) {
  return std::string(Decided(compile(yaml), "GET", url, headers, "DE").decision.key.text);
}

std::multimap<std::string, std::string> sent(const std::string& yaml, const std::string& url,
                                             const Headers& headers, std::string* target = nullptr,
                                             std::string* host = nullptr) {
  Decided decided(compile(yaml), "GET", url, headers, "DE");
  const auto draft = snapshot::draft_origin_request(decided.decision, decided.facts, false, nullptr,
                                                    decided.memory);
  const auto request = snapshot::address(draft, decided.decision.behavior->target->members.front());
  if (target != nullptr) *target = request.target;
  if (host != nullptr) *host = request.host_header;
  std::multimap<std::string, std::string> fields;
  for (const auto& field : request.fields.fields())
    fields.emplace(std::string(field.name), std::string(field.value));
  return fields;
}

std::string query(std::string_view raw, std::vector<std::string> drop, bool sort) {
  std::pmr::monotonic_buffer_resource memory;
  Normalize rules;
  rules.drop_query = std::move(drop);
  rules.sort_query = sort;
  return std::string(snapshot::normalize_query(raw, rules, memory));
}

}  // namespace

TEST_CASE("dropped query strings are gone by pattern, the others stay as they were sent") {
  CHECK(query("utm_source=a&q=1&fbclid=x&utm_=&Q=2", {"utm_*", "fbclid"}, false) == "q=1&Q=2");
  CHECK(query("a=1&b&c=", {"x"}, false) == "a=1&b&c=");
  CHECK(query("a=1&&b=2", {"x"}, false) == "a=1&b=2");
  CHECK(query("session_id=1&my_session=2&session=3", {"*session"}, false) == "session_id=1");
  CHECK(query("abc=1&axc=2&ac=3&abd=4", {"a*c"}, false) == "abd=4");
  CHECK(query("a=1&b=2", {"*"}, false) == "");
  CHECK(query("", {"*"}, true) == "");
  CHECK(query("utm%5Fsource=a", {"utm_*"}, false) == "utm%5Fsource=a");  // nothing is decoded
}

TEST_CASE("sorting is by name, and values of one name keep their order") {
  CHECK(query("b=2&a=9&b=1&a=3&", {}, true) == "a=9&a=3&b=2&b=1");
  CHECK(query("a=1&b=2", {}, true) == "a=1&b=2");
  CHECK(query("z&utm_x=1&a", {"utm_*"}, true) == "a&z");
}

TEST_CASE("a pattern of stars against a long name takes no long time") {
  CHECK(query(std::string(4000, 'a') + "=1", {"a*a*a*a*a*a*a*a*b"}, false).size() == 4002);
}

TEST_CASE("key and origin get the same query; what is dropped reaches neither") {
  const std::string yaml = repository(R"(
    queryStrings: { behavior: all }
    normalize: { dropQuery: ["utm_*"], sortQuery: true }
)",
                                      "    originRequestPolicy: Managed-AllViewer");
  CHECK(key(yaml, "http://x/p?b=2&utm_source=z&a=1").ends_with("\n/p?a=1&b=2"));
  CHECK(key(yaml, "http://x/p?b=2&a=1") == key(yaml, "http://x/p?a=1&utm_medium=m&b=2"));
  CHECK(key(yaml, "http://x/p?utm_source=z") == key(yaml, "http://x/p"));
  std::string target;
  sent(yaml, "http://x/p?b=2&utm_source=z&a=1", {}, &target);
  CHECK(target == "/p?a=1&b=2");
}

TEST_CASE("lowercaseHost makes one Host of all spellings, in the key and to the origin") {
  const std::string parameters = "    headers: { behavior: whitelist, items: [Host] }\n";
  const std::string plain = repository(parameters);
  const std::string lower = repository(parameters + "    normalize: { lowercaseHost: true }\n");
  CHECK(key(plain, "http://Shop.Example/") != key(plain, "http://shop.example/"));
  CHECK(key(lower, "http://Shop.Example/") == key(lower, "http://shop.example/"));
  std::string host;
  sent(lower, "http://SHOP.example/", {}, nullptr, &host);
  CHECK(host == "shop.example");
}

TEST_CASE("a language stands in the key and goes to the origin in place of what was sent") {
  const std::string yaml =
      repository("    normalize: { language: { supported: [en, de, pt-BR], default: de } }\n",
                 "    originRequestPolicy: Managed-AllViewer");
  const auto language_key = [&](const char* accept) {
    return key(yaml, "http://x/", {{"accept-language", accept}});
  };
  CHECK(language_key("en-GB,en;q=0.5").find("\naccept-language:en") != std::string::npos);
  CHECK(language_key("en-GB,en;q=0.5") == language_key("en"));
  CHECK(language_key("fr") == key(yaml, "http://x/"));
  CHECK(key(yaml, "http://x/").find("\naccept-language:de") != std::string::npos);
  const auto fields = sent(yaml, "http://x/", {{"accept-language", "pt-br, en;q=0.1"}});
  CHECK(fields.count("accept-language") == 1);
  CHECK(fields.find("accept-language")->second == "pt-BR");
  CHECK(sent(yaml, "http://x/", {}).find("accept-language")->second == "de");
}

TEST_CASE("without a default the first language is it") {
  const std::string yaml = repository("    normalize: { language: { supported: [fr, en] } }\n");
  CHECK(key(yaml, "http://x/").find("\naccept-language:fr") != std::string::npos);
}

TEST_CASE("devices are told apart by class, not by User-Agent") {
  const std::string yaml = repository("    normalize: { device: true }\n");
  const auto device_key = [&](const char* agent) {
    return key(yaml, "http://x/", {{"user-agent", agent}});
  };
  CHECK(device_key(kPhone).find("\ndevice:mobile") != std::string::npos);
  CHECK(device_key(kPhone) == device_key("Something Mobile"));
  CHECK(device_key(kPhone) != device_key(kTablet));
  CHECK(device_key("") == device_key(kDesktop));
  const auto fields = sent(yaml, "http://x/", {{"user-agent", kPhone}});
  CHECK(fields.find("cloudfront-is-mobile-viewer")->second == "true");
  CHECK(fields.find("cloudfront-is-desktop-viewer")->second == "false");
  CHECK(fields.count("cloudfront-is-tablet-viewer") == 1);
  CHECK(fields.count("user-agent") == 0);
}

TEST_CASE("a User-Agent in the key becomes its class, and the origin still sees what was sent") {
  const std::string yaml = repository(
      "    headers: { behavior: whitelist, items: [User-Agent] }\n    normalize: { device: true "
      "}\n");
  CHECK(key(yaml, "http://x/", {{"user-agent", kPhone}}).find("\nuser-agent:mobile") !=
        std::string::npos);
  CHECK(sent(yaml, "http://x/", {{"user-agent", kPhone}}).find("user-agent")->second == kPhone);
}

TEST_CASE("no fact is sent twice when a policy names it and a normaliser has it") {
  const std::string yaml =
      repository("    normalize: { device: true }\n",
                 "    originRequestPolicy: Managed-AllViewerAndCloudFrontHeaders-2022-06");
  const auto fields = sent(yaml, "http://x/", {{"user-agent", kTablet}});
  CHECK(fields.count("cloudfront-is-tablet-viewer") == 1);
  CHECK(fields.find("cloudfront-is-ios-viewer")->second == "true");
  CHECK(fields.find("cloudfront-is-android-viewer")->second == "false");
}

TEST_CASE("Vary selects by what was normalised") {
  const std::string yaml = repository(
      "    enableAcceptEncodingGzip: true\n"
      "    normalize: { language: { supported: [en, de] }, device: true }\n");
  Decided decided(compile(yaml), "GET", "http://x/",
                  {{"accept-language", "de-AT"},
                   {"user-agent", kPhone},
                   {"accept-encoding", "br, gzip"},
                   {"x-other", "1"}});
  const auto fields = snapshot::selecting_fields(decided.decision, decided.facts, decided.memory);
  CHECK(find(fields, "accept-language") == "de");
  CHECK(find(fields, "user-agent") == "mobile");
  CHECK(find(fields, "accept-encoding") == "gzip");
  CHECK(find(fields, "x-other") == "1");
}

TEST_CASE("the classes of real browsers") {
  const auto kind = [](const char* agent) { return classify_device(agent).kind; };
  CHECK(kind(kPhone) == DeviceClass::Mobile);
  CHECK(kind(kTablet) == DeviceClass::Tablet);
  CHECK(kind(kDesktop) == DeviceClass::Desktop);
  CHECK(kind("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
             "Mobile/15E148") == DeviceClass::Mobile);
  CHECK(kind("Mozilla/5.0 (Linux; Android 13; SM-X900) AppleWebKit/537.36 Safari/537.36") ==
        DeviceClass::Tablet);
  CHECK(kind("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 TV Safari/537.36") ==
        DeviceClass::SmartTv);
  CHECK(kind("Mozilla/5.0 (Linux; Android 9; BRAVIA 4K) AppleWebKit/537.36") ==
        DeviceClass::SmartTv);
  CHECK(kind("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0") ==
        DeviceClass::Desktop);
  CHECK(kind("curl/7.88.1") == DeviceClass::Desktop);
  CHECK(kind("") == DeviceClass::Desktop);
  CHECK(classify_device(kPhone).android);
  CHECK_FALSE(classify_device(kPhone).ios);
  CHECK(classify_device(std::string(100'000, 'x') + "Mobile").kind == DeviceClass::Desktop);
}

TEST_CASE("Accept-Encoding leaves the key where the edge makes the encodings itself") {
  const std::string parameters =
      "    enableAcceptEncodingGzip: true\n    enableAcceptEncodingZstd: true\n";
  const Headers headers = {{"accept-encoding", "br, gzip, zstd"}};
  CHECK(key(repository(parameters), "http://x/", headers).find("\naccept-encoding:zstd,gzip") !=
        std::string::npos);
  const std::string compressing = repository(parameters, "    compress: true");
  CHECK(key(compressing, "http://x/", headers) == key(compressing, "http://x/"));
  // The origin may still encode: it is told what the viewer takes.
  CHECK(sent(compressing, "http://x/", headers).find("accept-encoding")->second == "zstd,gzip");
}

TEST_CASE("compress asks for the behavior, the policy and a TTL") {
  const auto codings = [](const std::string& yaml) {
    return compile(yaml)->distributions().front()->behaviors.front().codings;
  };
  const std::string enabled = "    enableAcceptEncodingGzip: true\n";
  CHECK_FALSE(codings(repository(enabled, "    compress: true")).empty());
  CHECK(codings(repository(enabled, "    compress: false")).empty());
  CHECK(codings(repository(enabled)).empty());
  CHECK(codings(repository("    queryStrings: { behavior: none }", "    compress: true")).empty());
  std::string no_ttl = repository(enabled, "    compress: true");
  no_ttl.replace(no_ttl.find("  parametersIn"), 0, "  maxTTL: 0s\n  defaultTTL: 0s\n");
  CHECK(codings(no_ttl).empty());
}

TEST_CASE("explain shows what was normalised and the key that came of it") {
  const auto configuration = compile(repository(R"(
    queryStrings: { behavior: all }
    enableAcceptEncodingGzip: true
    normalize: { dropQuery: ["utm_*"], sortQuery: true, language: { supported: [en, de] }, device: true }
)",
                                                "    compress: true"));
  snapshot::ExplainRequest request;
  request.url = "http://shop.example/p?utm_source=x&b=2&a=1";
  request.headers = {
      {"Accept-Language", "de-AT"}, {"User-Agent", kPhone}, {"Accept-Encoding", "gzip"}};
  const auto text = snapshot::explain(*configuration, request);
  REQUIRE(text);
  for (const char* line :
       {"query a=1&b=2", "language de", "device mobile", "/p?a=1&b=2", "accept-language:de",
        "device:mobile", "gzip made by the edge; gzip for this request"})
    CHECK_MESSAGE(text->find(line) != std::string::npos, line, " is not in\n", *text);
  CHECK(text->find("utm_") == text->rfind("utm_"));  // only in the URL, if at all
}
