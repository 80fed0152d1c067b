// SPDX-License-Identifier: MIT
// Durations and sizes.
#include <doctest/doctest.h>

#include "schema/base/units.h"

using namespace headgate;
using namespace std::chrono_literals;

TEST_CASE("durations are read in every unit and as whole seconds") {
  CHECK(*parse_duration("250ms") == 250ms);
  CHECK(*parse_duration("30s") == 30s);
  CHECK(*parse_duration("5m") == 5min);
  CHECK(*parse_duration("24h") == 24h);
  CHECK(*parse_duration("30d") == 720h);
  CHECK(*parse_duration("90") == 90s);
  CHECK(*parse_duration("0") == 0s);
}

TEST_CASE("what is no duration is refused with what was expected") {
  for (const char* text : {"", "s", "-1s", "1.5s", "5 m", "5min", "5M", "1h30m", " 5s", "5s ",
                           "+5s", "0x5s", "18446744073709551616s"}) {
    CAPTURE(text);
    Result<Duration> result = parse_duration(text);
    REQUIRE(!result);
    CHECK(result.error().blame == Blame::Config);
    CHECK(result.error().context.find("250ms") != std::string::npos);
  }
}

TEST_CASE("a duration of more than a hundred years is refused, not wrapped") {
  CHECK(parse_duration("36525d"));
  CHECK(!parse_duration("36526d"));
  CHECK(!parse_duration("18446744073709551615d"));
}

TEST_CASE("a duration is written in the shortest spelling that reads back") {
  CHECK(format_duration(5400s) == "90m");
  CHECK(format_duration(0s) == "0s");
  CHECK(format_duration(24h) == "1d");
  CHECK(format_duration(1500ms) == "1500ms");
  CHECK(format_duration(-2s) == "-2s");
  for (auto value : {1ms, 999ms, 1000ms, 61000ms, 86400000ms, 86400001ms})
    CHECK(*parse_duration(format_duration(value)) == value);
}

TEST_CASE("sizes are read in powers of 1024 and of 1000") {
  CHECK(*parse_size("0") == 0);
  CHECK(*parse_size("512") == 512);
  CHECK(*parse_size("64KiB") == 65536);
  CHECK(*parse_size("1MiB") == 1048576);
  CHECK(*parse_size("10GiB") == 10737418240);
  CHECK(*parse_size("1TiB") == 1099511627776);
  CHECK(*parse_size("5kB") == 5000);
  CHECK(*parse_size("5MB") == 5000000);
  CHECK(*parse_size("5GB") == 5000000000);
}

TEST_CASE("what is no size is refused, and what does not fit") {
  for (const char* text : {"", "KiB", "-1", "1.5GiB", "1 GiB", "1K", "1gib", "1KB",
                           "18446744073709551615", "1048577TiB"}) {
    CAPTURE(text);
    CHECK(!parse_size(text));
  }
  CHECK(*parse_size("1048576TiB") == std::uint64_t{1} << 60);
}

TEST_CASE("a size is written exactly and reads back") {
  CHECK(format_size(1 << 20) == "1MiB");
  CHECK(format_size(1 << 30) == "1GiB");
  CHECK(format_size(1000000) == "1000000");
  CHECK(format_size(1536) == "1536");
  CHECK(format_size(0) == "0");
  for (std::uint64_t value : {0ULL, 1ULL, 1023ULL, 1024ULL, 3ULL << 40})
    CHECK(*parse_size(format_size(value)) == value);
}
