// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "appliance/http/field.h"
#include "appliance/http/hop_by_hop.h"

using namespace headgate::http;

namespace {

std::vector<std::string> members(std::string_view list) {
  std::vector<std::string> all;
  std::string_view member;
  while (next_list_member(list, member)) all.emplace_back(member);
  return all;
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("a list splits at commas outside of quotes, and empty members do not count") {
  CHECK(members("a, b ,c") == List{"a", "b", "c"});
  CHECK(members(" , a,, b,") == List{"a", "b"});
  CHECK(members("").empty());
  CHECK(members(" ,\t, ").empty());
  CHECK(members("a=\"x, y\", b") == List{"a=\"x, y\"", "b"});
  CHECK(members("a=\"x\\\", y\", b") == List{"a=\"x\\\", y\"", "b"});
  CHECK(members("a=\"open, b") == List{"a=\"open", "b"});  // it must not hide what follows
  CHECK(members("a=\"b\", c=\"open, d, e") == List{"a=\"b\"", "c=\"open", "d", "e"});
  CHECK(members("\\\"a, b") == List{"\\\"a", "b"});
  CHECK(members("a\\") == List{"a\\"});
  CHECK(members("\"\\") == List{"\"\\"});
}

TEST_CASE("find gives the first line, names compare by lower case") {
  const std::vector<Field> fields = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
  CHECK(find(fields, "a") == "1");
  CHECK_FALSE(find(fields, "c"));
  CHECK(equals_ignoring_case("Max-AGE", "max-age"));
  CHECK_FALSE(equals_ignoring_case("max-age", "max-ag"));
  CHECK_FALSE(equals_ignoring_case("@", "`"));  // differ by the bit that letters' case differs by
}

TEST_CASE("a field block owns its text, keeps order and repeats, and survives a move") {
  FieldBlock block;
  {
    const std::string name = "x-name";
    const std::string value(1000, 'v');
    const std::vector<Field> fields = {{name, value}, {name, ""}, {"b", "2"}};
    FieldBlock copy{Fields(fields)};
    block = std::move(copy);
  }
  REQUIRE(block.fields().size() == 3);
  CHECK(block.fields()[0].name == "x-name");
  CHECK(block.fields()[0].value == std::string(1000, 'v'));
  CHECK(block.fields()[1].value.empty());
  CHECK(block.fields()[2].value == "2");
  CHECK(block.size_bytes() >= 1000);
}

TEST_CASE(
    "a proxy drops hop-by-hop fields and those that Connection names, in any case and on any "
    "line") {
  const std::vector<Field> fields = {{"connection", "close, X-Hop"}, {"connection", "x-Other"}};
  const HopByHop hop(fields);
  for (const char* name :
       {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
        "proxy-authenticate", "proxy-authorization", "proxy-connection", "x-hop", "x-other"}) {
    CAPTURE(name);
    CHECK(hop.drops(name));
  }
  CHECK_FALSE(hop.drops("x-ho"));
  CHECK_FALSE(hop.drops("etag"));
}

TEST_CASE("a list of unclosed quotes and a Connection of many options are read in one go") {
  std::string list;
  while (list.size() < 2'000'000) list += "\"\\\",";  // quadratic work would take hours
  CHECK(members(list).size() > 100'000);
  std::string options = "close";
  for (int i = 0; i < 50'000; ++i) options += ", x-" + std::to_string(i);
  const std::vector<Field> fields = {{"connection", options}};
  const HopByHop hop(fields);
  for (int i = 0; i < 50'000; ++i) REQUIRE(hop.drops("x-" + std::to_string(i)));
  CHECK_FALSE(hop.drops("x-50000"));
}

TEST_CASE("Connection cannot name away what the message's meaning hangs on") {
  const std::vector<Field> fields = {
      {"connection", "host, content-length, cache-control, vary, authorization"}};
  const HopByHop hop(fields);
  for (const char* name : {"host", "content-length", "cache-control", "vary"}) {
    CAPTURE(name);
    CHECK_FALSE(hop.drops(name));
  }
  CHECK(hop.drops("authorization"));
}
