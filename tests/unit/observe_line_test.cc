// SPDX-License-Identifier: MIT
// Access log lines: always one line of valid JSON, whatever clients send.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "appliance/observe/line.h"

using headgate::base::IpAddress;
using headgate::base::WallTime;
using headgate::guard::Reason;
using headgate::observe::CacheOutcome;
using headgate::observe::LineFormatter;
using headgate::observe::RequestRecord;
using Json = nlohmann::json;

namespace {

std::string format(const RequestRecord& record) {
  LineFormatter formatter;
  const auto bound = LineFormatter::bound(record);
  REQUIRE(bound <= LineFormatter::kMaxLine);
  std::string line(bound, '\0');
  const auto size = formatter.format(record, line.data());
  REQUIRE(size <= bound);
  line.resize(size);
  REQUIRE(line.back() == '\n');
  REQUIRE(line.find('\n') == line.size() - 1);
  return line;
}
Json parsed(const RequestRecord& record) { return Json::parse(format(record)); }

/// What the member `user_agent` of the line holds for `text`.
std::string as_user_agent(std::string_view text) {
  RequestRecord record;
  record.user_agent = text;
  return parsed(record).at("user_agent");
}

WallTime at_ms(std::int64_t ms) { return WallTime(headgate::Duration(ms)); }

RequestRecord full_record() {
  RequestRecord record;
  record.time = at_ms(1'795'170'721'045);
  record.client = *IpAddress::parse("2001:db8::7");
  record.client_port = 4711;
  record.country = "DE";
  record.method = "GET";
  record.scheme = "https";
  record.host = "shop.example";
  record.target = "/img/logo.png?v=2";
  record.protocol = "HTTP/2";
  record.tls_version = "TLSv1.3";
  record.user_agent = "curl/7.88.1";
  record.referer = "https://shop.example/";
  record.request_id = "01JD3";
  record.distribution = "shop";
  record.behavior = "/img/*";
  record.origin = "primary";
  record.generation = "412-9f3c2ab";
  record.proxy_error = "http_request_denied";
  record.details = "no";
  record.content_type = "image/png";
  record.status = 403;
  record.origin_status = 500;
  record.reason = Reason::Geo;
  record.outcome = CacheOutcome::StaleHit;
  record.bytes_sent = 18446744073709551615ull;
  record.bytes_received = 2;
  record.duration_us = 1834;
  record.time_to_first_byte_us = 1500;
  record.aborted = true;
  return record;
}

}  // namespace

TEST_CASE("a line has every member in a fixed order") {
  CHECK(
      format(full_record()) ==
      R"({"time":"2026-11-20T10:32:01.045Z","client":"2001:db8::7","client_port":4711,"country":"DE","method":"GET",)"
      R"("scheme":"https","host":"shop.example","target":"/img/logo.png?v=2","protocol":"HTTP/2",)"
      R"("tls_version":"TLSv1.3","user_agent":"curl/7.88.1","referer":"https://shop.example/","request_id":"01JD3",)"
      R"("distribution":"shop","behavior":"/img/*","origin":"primary","generation":"412-9f3c2ab",)"
      R"("proxy_error":"http_request_denied","details":"no","content_type":"image/png","status":403,)"
      R"("origin_status":500,"outcome":"stale_hit","reason":"geo","bytes_sent":18446744073709551615,)"
      R"("bytes_received":2,"duration_us":1834,"time_to_first_byte_us":1500,"aborted":true})"
      "\n");
}

TEST_CASE("what says nothing is left out") {
  CHECK(
      format(RequestRecord()) ==
      R"({"time":"1970-01-01T00:00:00.000Z","status":0,"outcome":"bypass","bytes_sent":0,"bytes_received":0,)"
      R"("duration_us":0,"time_to_first_byte_us":0})"
      "\n");
}

TEST_CASE("times are RFC 3339 in UTC with milliseconds, forwards and backwards") {
  LineFormatter formatter;
  const auto time_of = [&](std::int64_t ms) {
    RequestRecord record;
    record.time = at_ms(ms);
    std::string line(LineFormatter::bound(record), '\0');
    line.resize(formatter.format(record, line.data()));
    return Json::parse(line).at("time").get<std::string>();
  };
  CHECK(time_of(1'000'000'000'999) == "2001-09-09T01:46:40.999Z");
  CHECK(time_of(1'000'000'001'000) == "2001-09-09T01:46:41.000Z");
  CHECK(time_of(1'000'000'000'007) == "2001-09-09T01:46:40.007Z");
  CHECK(time_of(1'709'164'800'010) == "2024-02-29T00:00:00.010Z");
  CHECK(time_of(-1) == "1970-01-01T00:00:00.000Z");
  CHECK(time_of(std::numeric_limits<std::int64_t>::min()) == "1970-01-01T00:00:00.000Z");
  CHECK(time_of(std::numeric_limits<std::int64_t>::max()) == "9999-12-31T23:59:59.000Z");
}

TEST_CASE("quotes, backslashes and control characters are escaped at every place") {
  for (std::size_t at = 0; at < 20; ++at) {
    for (int c = 0; c < 0x80; ++c) {
      std::string text(20, 'x');
      text[at] = static_cast<char>(c);
      REQUIRE(as_user_agent(text) == text);
    }
  }
  RequestRecord record;
  record.user_agent = "a\"b\\c\n\x1b[31m\x7f";
  CHECK(format(record).find(R"("user_agent":"a\"b\\c\u000a\u001b[31m\u007f")") !=
        std::string::npos);
}

TEST_CASE("UTF-8 passes, what is not UTF-8 becomes U+FFFD") {
  CHECK(as_user_agent("äöü € 𝄞 abcdefghijk") == "äöü € 𝄞 abcdefghijk");
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(as_user_agent("\xff") == bad);
  CHECK(as_user_agent("a\xC3") == "a" + bad);
  CHECK(as_user_agent("\xC3(") == bad + "(");
  CHECK(as_user_agent("\xC0\xAF") == bad + bad);                      // overlong
  CHECK(as_user_agent("\xE0\x80\xAF") == bad + bad + bad);            // overlong
  CHECK(as_user_agent("\xED\xA0\x80") == bad + bad + bad);            // a surrogate
  CHECK(as_user_agent("\xF4\x90\x80\x80") == bad + bad + bad + bad);  // beyond U+10FFFF
  CHECK(as_user_agent("\xF0\x9D\x84") == bad + bad + bad);            // cut
  CHECK(as_user_agent("\xF4\x8F\xBF\xBF") == "\xF4\x8F\xBF\xBF");
}

TEST_CASE("characters that make a line look like another are escaped") {
  for (const char* text :
       {"\xC2\x85", "\xC2\x9B", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAE", "\xE2\x81\xA6"}) {
    RequestRecord record;
    record.user_agent = text;
    const auto line = format(record);
    CHECK(line.find(text) == std::string::npos);
    CHECK(Json::parse(line).at("user_agent") == text);
  }
}

TEST_CASE("long values are cut between characters, with how much is missing") {
  CHECK(as_user_agent(std::string(512, 'x')) == std::string(512, 'x'));
  CHECK(as_user_agent(std::string(513, 'x')) == std::string(512, 'x') + "…+1");
  CHECK(as_user_agent(std::string(100'000, 'x')) == std::string(512, 'x') + "…+99488");
  CHECK(as_user_agent(std::string(511, 'x') + "ä") == std::string(511, 'x') + "…+2");
  CHECK(as_user_agent(std::string(509, 'x') + "𝄞") == std::string(509, 'x') + "…+4");
  CHECK(as_user_agent(std::string(508, 'x') + "𝄞") == std::string(508, 'x') + "𝄞");
}

TEST_CASE("the longest line there can be is within the bound") {
  const std::string worst(100'000, '\x01');
  auto record = full_record();
  for (auto* text :
       {&record.country, &record.method, &record.scheme, &record.host, &record.target,
        &record.protocol, &record.tls_version, &record.user_agent, &record.referer,
        &record.request_id, &record.distribution, &record.behavior, &record.origin,
        &record.generation, &record.proxy_error, &record.details, &record.content_type}) {
    *text = worst;
  }
  CHECK(format(record).size() > 40'000);
  CHECK(parsed(record).size() == 29);
}

TEST_CASE("random octets make valid lines") {
  std::mt19937 random(5);
  std::string octets(600, '\0');
  for (int i = 0; i < 5000; ++i) {
    for (auto& octet : octets) {
      octet = random() % 3 == 0 ? static_cast<char>(random())
                                : static_cast<char>(0x20 + random() % 0x60);
    }
    RequestRecord record;
    record.target = octets;
    record.user_agent = std::string_view(octets).substr(random() % 600);
    REQUIRE_NOTHROW(parsed(record));
  }
}
