// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "appliance/http/conditional.h"

using namespace headgate::http;

namespace {

using List = std::vector<Field>;

const List kStored = {{"etag", "\"v1\""},
                      {"last-modified", "Tue, 10 Nov 2026 10:00:00 GMT"},
                      {"date", "Fri, 20 Nov 2026 10:00:00 GMT"}};

bool not_modified(const List& request, const List& stored = kStored) {
  return is_not_modified(request, stored);
}
bool none_match(std::string_view value) { return not_modified({{"if-none-match", value}}); }

/// "first-last" of every part, "unsatisfiable" or "ignore".
std::string range(const List& request, std::uint64_t length, const List& stored = kStored) {
  ByteRanges r;
  switch (evaluate_range(request, stored, length, r)) {
    case RangeVerdict::Ignore:
      return "ignore";
    case RangeVerdict::Unsatisfiable:
      return "unsatisfiable";
    case RangeVerdict::Satisfiable:
      break;
  }
  std::string text;
  for (std::size_t i = 0; i < r.count; ++i)
    text += (i == 0 ? "" : ",") + std::to_string(r.parts[i].first) + "-" +
            std::to_string(r.parts[i].last);
  return text;
}
std::string range(std::string_view value, std::uint64_t length = 1000) {
  return range(List{{"range", value}}, length);
}

}  // namespace

TEST_CASE("If-None-Match compares weakly with every tag of its lists") {
  CHECK(none_match("\"v1\""));
  CHECK(none_match("W/\"v1\""));
  CHECK(none_match("\"v0\", \"v1\""));
  CHECK(none_match("\"v0\",W/\"v1\" , \"v2\""));
  CHECK(none_match("*"));
  CHECK_FALSE(none_match("\"v2\""));
  CHECK_FALSE(none_match("v1"));
  CHECK_FALSE(none_match("\"V1\""));
  CHECK_FALSE(none_match(""));
  CHECK_FALSE(none_match("\"a,\"v1\",b\""));
  CHECK(not_modified({{"if-none-match", "\"v0\""}, {"if-none-match", "\"v1\""}}));
  CHECK(not_modified({{"if-none-match", "\"v1\""}}, {{"etag", "W/\"v1\""}}));
  CHECK_FALSE(not_modified({{"if-none-match", "\"v1\""}}, {}));
  CHECK(not_modified({{"if-none-match", "*"}}, {}));
}

TEST_CASE("a comma or a backslash inside an entity tag belongs to it") {
  CHECK(not_modified({{"if-none-match", "\"x\", \"a,b\\\", \"y\""}}, {{"etag", "\"a,b\\\""}}));
}

TEST_CASE("If-None-Match beats If-Modified-Since") {
  const Field since{"if-modified-since", "Fri, 20 Nov 2026 10:00:00 GMT"};
  CHECK(not_modified({since}));
  CHECK_FALSE(not_modified({since, {"if-none-match", "\"v2\""}}));
}

TEST_CASE(
    "If-Modified-Since compares with Last-Modified, else with Date; no date is no condition") {
  const auto since = [](std::string_view value, const List& stored = kStored) {
    return not_modified({{"if-modified-since", value}}, stored);
  };
  CHECK(since("Tue, 10 Nov 2026 10:00:00 GMT"));
  CHECK_FALSE(since("Tue, 10 Nov 2026 09:59:59 GMT"));
  CHECK_FALSE(since("yesterday"));
  CHECK_FALSE(since("Fri, 20 Nov 2026 10:00:00 GMT", {}));
  CHECK(since("Fri, 20 Nov 2026 10:00:00 GMT", {{"date", "Fri, 20 Nov 2026 10:00:00 GMT"}}));
  CHECK_FALSE(not_modified({}));
}

TEST_CASE("single ranges: from, to, suffix, and clipped to the length") {
  CHECK(range("bytes=0-99") == "0-99");
  CHECK(range("bytes=900-") == "900-999");
  CHECK(range("bytes=-100") == "900-999");
  CHECK(range("bytes=-5000") == "0-999");
  CHECK(range("bytes=500-5000") == "500-999");
  CHECK(range("bytes=999-999") == "999-999");
  CHECK(range("BYTES=0-0") == "0-0");
  CHECK(range("bytes= 0-9 ,") == "0-9");
  CHECK(range("bytes=0-99999999999999999999999999") == "0-999");
}

TEST_CASE("ranges beyond the length are unsatisfiable") {
  CHECK(range("bytes=1000-") == "unsatisfiable");
  CHECK(range("bytes=99999999999999999999999-") == "unsatisfiable");
  CHECK(range("bytes=-0") == "unsatisfiable");
  CHECK(range("bytes=0-", 0) == "unsatisfiable");
  CHECK(range("bytes=-5", 0) == "ignore");
}

TEST_CASE("several ranges are parts in the order in which they were asked for") {
  CHECK(range("bytes=0-1,5-6") == "0-1,5-6");
  CHECK(range("bytes=5-6, 0-1, -1") == "5-6,0-1,999-999");
  CHECK(range("bytes=0-1,2000-") == "0-1");
  CHECK(range("bytes=2000-,3000-") == "unsatisfiable");
}

TEST_CASE("parts that overlap or touch are one part in the place of the first") {
  CHECK(range("bytes=0-1,2-3") == "0-3");
  CHECK(range("bytes=20-29,0-9,10-19") == "0-29");
  CHECK(range("bytes=0-9,30-39,5-14") == "0-14,30-39");
  CHECK(range("bytes=0-,5-6,-1") == "0-999");
}

TEST_CASE("more than sixteen ranges get the whole") {
  std::string value = "bytes=0-0";
  for (int i = 1; i < 16; ++i) value += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  CHECK(range(value).ends_with(",30-30"));
  CHECK(range(value + ",40-40") == "ignore");
}

TEST_CASE("Content-Range says where octets belong") {
  const auto known = parse_content_range("bytes 2-4/11");
  REQUIRE(known);
  CHECK(known->range.first == 2);
  CHECK(known->range.last == 4);
  CHECK(known->complete == 11);
  CHECK(parse_content_range("Bytes 0-0/*")->complete == 0);
  for (const char* value : {"", "bytes", "bytes */11", "bytes 4-2/11", "bytes 2-11/11", "bytes 2-4",
                            "items 2-4/11", "bytes 2-4/x", "bytes -4/11"}) {
    CAPTURE(value);
    CHECK_FALSE(parse_content_range(value));
  }
}

TEST_CASE("other units and malformed ranges get the whole representation") {
  for (const char* value :
       {"bytes=0-1,a-b", "lines=0-1", "bytes=5-1", "bytes=a-b", "bytes=", "bytes", "", "bytes=-",
        "bytes=1", "bytes=1-2-3", "bytes=+1-2", "bytes =0-1", "bytes=0 -1", "bytes=--1"}) {
    CAPTURE(value);
    CHECK(range(value) == "ignore");
  }
  CHECK(range({{"range", "bytes=0-1"}, {"range", "bytes=0-1"}}, 1000) == "ignore");
  CHECK(range(List{}, 1000) == "ignore");
}

TEST_CASE("If-Range holds for the very same strong validator only") {
  const auto with = [](std::string_view condition, const List& stored = kStored) {
    return range({{"range", "bytes=0-1"}, {"if-range", condition}}, 1000, stored) == "0-1";
  };
  CHECK(with("\"v1\""));
  CHECK_FALSE(with("\"v2\""));
  CHECK_FALSE(with("W/\"v1\""));
  CHECK_FALSE(with("W/\"v1\"", {{"etag", "W/\"v1\""}}));
  CHECK(with("Tue, 10 Nov 2026 10:00:00 GMT"));
  CHECK_FALSE(with("Tue, 10 Nov 2026 10:00:01 GMT"));
  CHECK_FALSE(with("Tue, 10 Nov 2026 09:00:00 GMT"));
  CHECK_FALSE(with("garbage"));
  CHECK_FALSE(with(""));
  // A Last-Modified of the very second of the response may still change: not strong.
  CHECK_FALSE(
      with("Tue, 10 Nov 2026 10:00:00 GMT", {{"last-modified", "Tue, 10 Nov 2026 10:00:00 GMT"},
                                             {"date", "Tue, 10 Nov 2026 10:00:00 GMT"}}));
}

TEST_CASE("only a strong validator holds parts together") {
  const List strong = {{"etag", "\"1\""}, {"last-modified", "Mon, 02 Nov 2026 10:00:00 GMT"}};
  CHECK(strong_validator(strong) == "\"1\"");
  CHECK_FALSE(strong_validator(List{{"etag", "W/\"1\""}}));
  CHECK_FALSE(strong_validator(List{{"etag", "1"}}));
  CHECK_FALSE(strong_validator(List{{"etag", "\"1\""}, {"etag", "\"2\""}}));
  CHECK_FALSE(strong_validator(List{}));
  // Two changes within one second would have one date.
  const List old = {{"last-modified", "Mon, 02 Nov 2026 10:00:00 GMT"},
                    {"date", "Mon, 02 Nov 2026 10:00:01 GMT"}};
  const List fresh = {{"last-modified", "Mon, 02 Nov 2026 10:00:00 GMT"},
                      {"date", "Mon, 02 Nov 2026 10:00:00 GMT"}};
  CHECK(strong_validator(old) == "Mon, 02 Nov 2026 10:00:00 GMT");
  CHECK_FALSE(strong_validator(fresh));
}
