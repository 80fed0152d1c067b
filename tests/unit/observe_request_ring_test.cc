// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/observe/request_ring.h"

using namespace headgate;
using observe::RequestRecord;
using observe::RequestRing;

namespace {

RequestRecord record(std::string_view target) {
  RequestRecord record;
  record.time = base::WallTime(Duration(1'700'000'000'123));
  record.client = *base::IpAddress::parse("192.0.2.7");
  record.country = "DE";
  record.method = "GET";
  record.scheme = "https";
  record.host = "shop.example";
  record.target = target;
  record.user_agent = "curl/7.88.1";
  record.status = 200;
  record.outcome = observe::CacheOutcome::FreshHit;
  record.bytes_sent = 1234;
  return record;
}

std::vector<nlohmann::json> lines_of(const RequestRing& ring) {
  std::vector<nlohmann::json> lines;
  std::istringstream all(ring.lines());
  for (std::string line; std::getline(all, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("what was recorded comes back as lines of the access log") {
  RequestRing ring(4096);
  CHECK(ring.lines().empty());
  ring.add(record("/a?page=2"));
  const auto lines = lines_of(ring);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["time"] == "2023-11-14T22:13:20.123Z");
  CHECK(lines[0]["client"] == "192.0.2.7");
  CHECK(lines[0]["country"] == "DE");
  CHECK(lines[0]["method"] == "GET");
  CHECK(lines[0]["host"] == "shop.example");
  CHECK(lines[0]["target"] == "/a?page=2");
  CHECK(lines[0]["user_agent"] == "curl/7.88.1");
  CHECK(lines[0]["status"] == 200);
  CHECK(lines[0]["outcome"] == "fresh_hit");
  CHECK(lines[0]["bytes_sent"] == 1234);
}

TEST_CASE("the oldest make room, whatever the sizes and wherever the ring ends") {
  std::mt19937 random(7);  // NOLINT: the same numbers each time
  for (const std::size_t size : {4096U, 5000U, 6001U, 8191U}) {
    RequestRing ring(size);
    for (int i = 0; i < 500; ++i) {
      const auto filler = std::string(random() % 60, 'x');
      ring.add(record("/" + std::to_string(i) + "/" + filler));
      const auto lines = lines_of(ring);
      REQUIRE_FALSE(lines.empty());
      // All that are there are the last ones, in order.
      int expected = i - static_cast<int>(lines.size()) + 1;
      for (const auto& line : lines) {
        const std::string target = line["target"];
        REQUIRE(target.substr(0, target.find('/', 1)) == "/" + std::to_string(expected++));
      }
      if (i > 100) REQUIRE(lines.size() >= size / 400);
    }
  }
}

TEST_CASE("what is too long for the ring is left out, and harms nothing") {
  RequestRing ring(4096);
  ring.add(record("/kept"));
  ring.add(record("/" + std::string(5000, 'x')));
  ring.add(record("/" + std::string(70'000, 'x')));
  REQUIRE(lines_of(ring).size() == 1);
  CHECK(lines_of(ring)[0]["target"] == "/kept");
}

TEST_CASE("values that open something are not shown, but equal ones stay equal") {
  RequestRing ring(65536);
  auto first = record("/a?Access_Token=abc&page=2&Signature=xyz&empty_token=");
  first.referer = "https://shop.example/?session=abc";
  ring.add(first);
  ring.add(record("/b?access_token=abc"));
  ring.add(record("/b?access_token=abd"));
  const auto lines = lines_of(ring);
  const std::string target = lines[0]["target"];
  CHECK(target.find("abc") == std::string::npos);
  CHECK(target.find("xyz") == std::string::npos);
  CHECK(target.find("&page=2&") != std::string::npos);
  CHECK(target.ends_with("&empty_token="));
  CHECK(lines[0]["referer"].get<std::string>().find("abc") == std::string::npos);
  const auto value = [](const std::string& text) {
    return text.substr(text.find("redacted-"), 25);
  };
  CHECK(value(target) == value(lines[1]["target"]));
  CHECK(value(lines[1]["target"]) != value(lines[2]["target"]));
}
