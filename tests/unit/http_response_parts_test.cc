// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "appliance/http/cache_status.h"
#include "appliance/http/structured.h"
#include "appliance/http/vary.h"

using namespace headgate::http;

namespace {

using List = std::vector<Field>;
using Names = std::vector<std::string>;

std::string written(const CacheStatus& status) {
  std::array<char, kCacheStatusSize> buffer{};
  return std::string(write_cache_status(status, buffer));
}

std::string quoted(std::string_view text) {
  std::string out;
  append_sf_string(out, text);
  return out;
}

}  // namespace

TEST_CASE("Vary is read from all lines, in lower case, sorted and each name once") {
  const Vary vary = parse_vary(List{{"vary", "Accept-Language, accept"}, {"vary", "ACCEPT,"}});
  CHECK(vary.names == Names{"accept", "accept-language"});
  CHECK_FALSE(vary.everything);
  CHECK(parse_vary({}).names.empty());
}

TEST_CASE("a star anywhere, and a name that is none, varies on everything") {
  for (const List& fields : {List{{"vary", "*"}}, List{{"vary", "accept, *"}},
                             List{{"vary", "accept"}, {"vary", "*"}}, List{{"vary", "a b"}}}) {
    CHECK(parse_vary(fields).everything);
    CHECK(varies_on_everything(fields));
  }
  CHECK_FALSE(varies_on_everything(List{{"vary", "accept"}}));
  std::string many = "a0";
  for (int i = 1; i < 64; ++i) many += ",a" + std::to_string(i);
  CHECK(parse_vary(List{{"vary", many}}).names.size() == 64);
  many += ",a64";
  CHECK(parse_vary(List{{"vary", many}}).everything);
}

TEST_CASE(
    "requests select the same variant when their fields differ only in what their syntax makes "
    "meaningless") {
  const Names names = {"accept-language"};
  const auto key = [&names](const List& request) { return vary_key(names, request); };
  const std::string two = key({{"accept-language", "de, fr"}});
  CHECK(two == key({{"accept-language", "de,fr"}}));
  CHECK(two == key({{"accept-language", "de"}, {"x", "y"}, {"accept-language", "fr"}}));
  CHECK(two == key({{"accept-language", "fr, de"}}));
  CHECK(two != key({{"accept-language", "defr"}}));
  CHECK(two == key({{"accept-language", "DE, fr"}}));
  CHECK(two == key({{"accept-language", "fr;q=1.0, de"}}));
  CHECK(two != key({{"accept-language", "fr;q=0.9, de"}}));
  CHECK(key({{"accept-language", "fr;q=0.50"}}) == key({{"accept-language", "FR ; q=0.5"}}));
  CHECK(key({{"accept-language", "fr;q=2"}}) != key({{"accept-language", "fr;q=1"}}));
  CHECK(key({}) != key({{"accept-language", ""}}));
  CHECK(key({}) == key({{"other", "x"}}));
}

TEST_CASE("the values of one field cannot imitate those of another") {
  const Names names = {"a", "b"};
  CHECK(vary_key(names, List{{"a", "1"}}) != vary_key(names, List{{"b", "1"}}));
  CHECK(vary_key(names, List{{"a", "1,"}, {"b", "2"}}) ==
        vary_key(names, List{{"a", "1"}, {"b", "2"}}));
  CHECK(vary_key(names, List{{"a", "1,2"}}) != vary_key(names, List{{"a", "1"}, {"b", "2"}}));
}

TEST_CASE("Cache-Status carries the parameters of RFC 9211 in a fixed order") {
  CHECK(written({.hit = true, .ttl_seconds = 376}) == "headgate; hit; ttl=376");
  CHECK(written({.forward = Forward::UriMiss, .forward_status = 200, .stored = true}) ==
        "headgate; fwd=uri-miss; fwd-status=200; stored");
  CHECK(written({.forward = Forward::Stale,
                 .forward_status = 304,
                 .collapsed = true,
                 .ttl_seconds = -12,
                 .detail = "swr"}) ==
        "headgate; fwd=stale; fwd-status=304; collapsed; ttl=-12; detail=swr");
  CHECK(written({.forward = Forward::Bypass, .detail = "no \"cache\""}) ==
        "headgate; fwd=bypass; detail=\"no \\\"cache\\\"\"");
  const std::pair<Forward, const char*> all[] = {
      {Forward::Bypass, "bypass"},    {Forward::Method, "method"},
      {Forward::UriMiss, "uri-miss"}, {Forward::VaryMiss, "vary-miss"},
      {Forward::Miss, "miss"},        {Forward::Request, "request"},
      {Forward::Stale, "stale"},      {Forward::Partial, "partial"}};
  for (const auto& [forward, name] : all)
    CHECK(written({.forward = forward}) == std::string("headgate; fwd=") + name);
}

TEST_CASE("the longest Cache-Status fits its buffer") {
  const std::string detail(1000, '"');
  const std::string text = written({.hit = true,
                                    .forward = Forward::VaryMiss,
                                    .forward_status = -2147483647,
                                    .stored = true,
                                    .collapsed = true,
                                    .ttl_seconds = INT64_MIN,
                                    .detail = detail});
  CHECK(text.size() <= kCacheStatusSize);
  CHECK(text.ends_with("\\\"\""));
}

TEST_CASE("an sf-string escapes quotes and backslashes and replaces what it cannot hold") {
  CHECK(quoted("plain") == "\"plain\"");
  CHECK(quoted("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(quoted("tab\tnewline\nü") == "\"tab?newline???\"");
  CHECK(is_sf_token("connection_timeout"));
  CHECK(is_sf_token("*a/b:c"));
  CHECK_FALSE(is_sf_token("9a"));
  CHECK_FALSE(is_sf_token(""));
  CHECK_FALSE(is_sf_token("a b"));
}

TEST_CASE("structured dictionaries: types, parameters, inner lists, and the last of equal keys") {
  const auto parse = [](std::string_view value) {
    return parse_sf_dictionary(List{{"d", value}}, "d");
  };
  const auto members =
      parse("a, b=1, c=\"x\\\"y\";p;q=2, d=tok/en, e=?0, f=(1 \"2\");r, g=1.5, h=:YQ==:, b=2");
  REQUIRE(members);
  REQUIRE(members->size() == 8);
  CHECK(std::get<bool>((*members)[0].value));
  CHECK(std::get<std::string>((*members)[1].value) == "x\"y");
  CHECK(std::get<SfToken>((*members)[2].value).text == "tok/en");
  CHECK_FALSE(std::get<bool>((*members)[3].value));
  CHECK((*members)[7].key == "b");
  CHECK(std::get<std::int64_t>((*members)[7].value) == 2);
  CHECK(std::get<std::int64_t>(parse("a=-999999999999999")->front().value) == -999999999999999);
  const auto joined = parse_sf_dictionary(List{{"d", "a=1"}, {"e", "x"}, {"d", "b=2"}}, "d");
  REQUIRE(joined);
  CHECK(joined->size() == 2);
  for (const char* invalid : {"",     " ",        ",",          "a,",         "a,,b",
                              "A=1",  "a=",       "a= 1",       "a =1",       "a=1000000000000000",
                              "a=1.", "a=1.2345", "a=\"x",      "a=\"x\\n\"", "a=?2",
                              "a=:x", "a=(1",     "a=(1\"2\")", "a;",         "a;B",
                              "&",    "a=1 b=2",  "a=-",        "a=@1"}) {
    CAPTURE(invalid);
    CHECK_FALSE(parse(invalid));
  }
}
