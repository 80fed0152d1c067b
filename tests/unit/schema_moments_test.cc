// SPDX-License-Identifier: MIT
// Moments and schedules, as the repository writes them.
#include <doctest/doctest.h>

#include "schema/base/cron.h"
#include "schema/base/units.h"

using namespace headgate;

namespace {

Timestamp at(const char* text) {
  const auto moment = parse_timestamp(text);
  REQUIRE_MESSAGE(moment.has_value(), text);
  return *moment;
}

std::string next(const char* cron, const char* after) {
  const auto schedule = Cron::parse(cron);
  REQUIRE_MESSAGE(schedule.has_value(), cron);
  const auto due = schedule->next(at(after));
  return due ? format_timestamp(*due) : "never";
}

std::string latest(const char* cron, const char* after, const char* until) {
  const auto due = Cron::parse(cron)->latest(at(after), at(until));
  return due ? format_timestamp(*due) : "none";
}

}  // namespace

TEST_CASE("moments are RFC 3339 with an offset, and are written in UTC") {
  CHECK(format_timestamp(at("2026-11-20T10:00:00Z")) == "2026-11-20T10:00:00Z");
  CHECK(format_timestamp(at("2026-11-20t10:00:00.25z")) == "2026-11-20T10:00:00.250Z");
  CHECK(format_timestamp(at("2026-01-01T00:30:00+01:00")) == "2025-12-31T23:30:00Z");
  CHECK(format_timestamp(at("2026-02-28T23:30:00.000001-01:00")) == "2026-03-01T00:30:00Z");
  CHECK(format_timestamp(at("1969-12-31T23:59:59.5Z")) == "1969-12-31T23:59:59.500Z");
  for (const char* wrong :
       {"", "yesterday", "2026-11-20", "2026-11-20T10:00:00", "2026-11-20 10:00:00Z",
        "2026-13-20T10:00:00Z", "2026-02-29T10:00:00Z", "2026-11-20T24:00:00Z",
        "2026-11-20T10:60:00Z", "2026-11-20T10:00:00.Z", "2026-11-20T10:00:00+1:00",
        "2026-11-20T10:00:00Z ", "-026-11-20T10:00:00Z", "2026-11-20T10:00:00.1234567890Z"})
    CHECK_FALSE_MESSAGE(parse_timestamp(wrong).has_value(), wrong);
}

TEST_CASE("a schedule comes when all of its fields agree") {
  const char* now = "2026-11-20T10:30:30Z";  // a Friday
  CHECK(next("* * * * *", now) == "2026-11-20T10:31:00Z");
  CHECK(next("*/15 * * * *", now) == "2026-11-20T10:45:00Z");
  CHECK(next("0 6 * * *", now) == "2026-11-21T06:00:00Z");
  CHECK(next("30 10 * * *", "2026-11-20T10:30:00Z") == "2026-11-21T10:30:00Z");
  CHECK(next("30 10 * * *", "2026-11-20T10:29:59.999Z") == "2026-11-20T10:30:00Z");
  CHECK(next("0 0 1 jan *", now) == "2027-01-01T00:00:00Z");
  CHECK(next("0 9 * * mon-fri", now) == "2026-11-23T09:00:00Z");
  CHECK(next("0 9 * * 7", now) == "2026-11-22T09:00:00Z");
  CHECK(next("0 0 29 2 *", now) == "2028-02-29T00:00:00Z");
  CHECK(next("5,10-12,50/5 11 * * *", now) == "2026-11-20T11:05:00Z");
  CHECK(next("50/5 10 * * *", "2026-11-20T10:50:00Z") == "2026-11-20T10:55:00Z");
  CHECK(next("@weekly", now) == "2026-11-22T00:00:00Z");
}

TEST_CASE("with both days restricted either suffices") {
  CHECK(next("0 0 13 * fri", "2026-11-20T10:00:00Z") == "2026-11-27T00:00:00Z");
  CHECK(next("0 0 21 * fri", "2026-11-20T10:00:00Z") == "2026-11-21T00:00:00Z");
}

TEST_CASE("of the ticks that were missed the last one is told") {
  CHECK(latest("0 * * * *", "2026-11-18T00:00:00Z", "2026-11-20T10:30:00Z") ==
        "2026-11-20T10:00:00Z");
  CHECK(latest("0 * * * *", "2026-11-20T10:00:00Z", "2026-11-20T10:59:59Z") == "none");
  CHECK(latest("0 * * * *", "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z") ==
        "2026-11-20T11:00:00Z");
  CHECK(latest("0 0 29 2 *", "1970-01-01T00:00:00Z", "2026-11-20T11:00:00Z") ==
        "2024-02-29T00:00:00Z");
}

TEST_CASE("what is no schedule, or never comes, is refused with what is wrong") {
  for (const char* wrong : {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
                            "* * * 13 *", "* * * * 8", "a * * * *", "5-1 * * * *", "*/0 * * * *",
                            ", * * * *", "1, * * * *", "- * * * *", "@never", "0 0 31 feb *",
                            "99999999999999999999 * * * *", "-1 * * * *", "1-2-3 * * * *"})
    CHECK_FALSE_MESSAGE(Cron::parse(wrong).has_value(), wrong);
  CHECK(Cron::parse("0 24 * * *").error().context.find("the hour") != std::string::npos);
  CHECK(Cron::parse("0 0 30 2 *").error().context.find("never") != std::string::npos);
}
