// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>

#include "appliance/http/caching.h"

using namespace headgate;
using http::parse_http_date;

namespace {

constexpr base::WallTime at(std::int64_t seconds) {
  return base::WallTime(std::chrono::seconds(seconds));
}
constexpr base::WallTime kNow = at(1'763'600'000);  // 20 November 2025

std::string format(base::WallTime time) {
  std::array<char, 29> out{};
  http::format_http_date(time, out.data());
  return {out.data(), out.size()};
}

}  // namespace

TEST_CASE("the three date formats of RFC 9110 mean the same moment") {
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", kNow) == at(784'111'777));
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", kNow) == at(784'111'777));
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", kNow) == at(784'111'777));
  CHECK(parse_http_date("Sun Nov 16 08:49:37 1994", kNow) == at(784'975'777));
}

TEST_CASE("odd letter case is read, as recipients must be lenient there") {
  CHECK(parse_http_date("THU, 18 Aug 2050 02:01:18 GMT") == at(2'544'400'878));
  CHECK(parse_http_date("Thu, 18 AUG 2050 02:01:18 gMT") == at(2'544'400'878));
}

TEST_CASE("a two-digit year lies at most 50 years ahead") {
  const auto year = [](int value) {
    std::string text = "Thursday, 18-Aug-00 02:01:18 GMT";
    text[17] = static_cast<char>('0' + value / 10);
    text[18] = static_cast<char>('0' + value % 10);
    const auto parsed = parse_http_date(text, kNow).value();
    return static_cast<int>(
        std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(parsed)).year());
  };
  CHECK(year(25) == 2025);
  CHECK(year(75) == 2075);
  CHECK(year(76) == 1976);
  CHECK(year(0) == 2000);
}

TEST_CASE("anything else is no date") {
  for (const char* text : {"",
                           "0",
                           "-1",
                           "now",
                           "Thu, 18 Aug 2050 02:01:18 UTC",
                           "Thu, 18 Aug 2050 02:01:18 AEST",
                           "Thu, 18 Aug 50 02:01:18 GMT",
                           "Thu 18 Aug 2050 02:01:18 GMT",
                           "Thu, 18  Aug  2050 02:01:18 GMT",
                           "Thu, 18-Aug-2050 02:01:18 GMT",
                           "Thu, 18 Aug 2050 02.01.18 GMT",
                           "Thu, 18 Aug 2050 2:01:18 GMT",
                           "Thu, 18 Aug 2050 02:01:18",
                           "Thu, 18 Aug 2050 02:01:18 GMT ",
                           "Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT",
                           "Thu, 32 Aug 2050 02:01:18 GMT",
                           "Thu, 30 Feb 2050 02:01:18 GMT",
                           "Thu, 00 Aug 2050 02:01:18 GMT",
                           "Thu, 18 Aug 2050 24:00:00 GMT",
                           "Thu, 18 Aug 2050 02:60:18 GMT",
                           "Thu, 18 Aug 2050 02:01:61 GMT",
                           "Thu,",
                           "Thursday, 18-Aug-2050 02:01:18 GMT",
                           "Thu Aug 18 02:01:18 50",
                           "Xyz, 18 Aug 2050 02:01:18 GMT",
                           "Thu, 18 Xxx 2050 02:01:18 GMT",
                           "Thu, +8 Aug 2050 02:01:18 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text));
  }
}

TEST_CASE("a leap second counts as the second before") {
  CHECK(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") ==
        parse_http_date("Sat, 31 Dec 2016 23:59:59 GMT"));
}

TEST_CASE("what is formatted is read back, over the whole range of years") {
  CHECK(format(at(784'111'777)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format(at(784'111'777) + Duration(999)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format(at(0)) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(format(at(951'782'400)) == "Tue, 29 Feb 2000 00:00:00 GMT");
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::int64_t> seconds(-62'135'596'800, 253'402'300'799);
  for (int i = 0; i < 10'000; ++i) {
    const base::WallTime time = at(seconds(random));
    REQUIRE(parse_http_date(format(time)) == time);
  }
}
