// SPDX-License-Identifier: MIT
// The YAML reader: nodes, marks, styles. What it refuses is in tests/golden/yaml.
#include <doctest/doctest.h>

#include "schema/yaml/reader.h"
#include "schema/yaml/source_check.h"

using namespace headgate::schema;

namespace {

Node read_one(std::string_view text) {
  YamlDocuments yaml = read_yaml(text);
  for (const YamlProblem& problem : yaml.problems) FAIL_CHECK(problem.message);
  REQUIRE(yaml.documents.size() == 1);
  return std::move(yaml.documents[0]);
}

Code refusal(std::string_view text) {
  YamlDocuments yaml = read_yaml(text);
  REQUIRE(yaml.problems.size() == 1);
  return yaml.problems[0].code;
}

}  // namespace

TEST_CASE("every node knows its line and column, keys apart from values") {
  Node root = read_one("a: 1\nlist:\n  - x\n  - {k: v}\n");
  const Node* list = root.find("list");
  REQUIRE(list != nullptr);
  CHECK(list->key_mark.line == 2);
  CHECK(list->key_mark.column == 1);
  CHECK(list->mark.line == 3);
  CHECK(list->children[0].mark.column == 5);
  const Node& value = root.locate("list.1.k");
  CHECK(value.text == "v");
  CHECK(value.mark.line == 4);
  CHECK(value.mark.column == 9);
  CHECK(value.key_mark.column == 6);
}

TEST_CASE("locate goes as far as a path leads") {
  Node root = read_one("a: {b: [x, {c: d}]}");
  CHECK(root.locate("").is_map());
  CHECK(root.locate("a.b.1.c").text == "d");
  CHECK(root.locate("a.b.7.c").is_sequence());
  CHECK(root.locate("a.b.x").is_sequence());
  CHECK(root.locate("nothing.at.all").is_map());
}

TEST_CASE("a scalar remembers whether it was plain") {
  Node root = read_one("p: NO\ns: 'NO'\nd: \"NO\"\nb: |\n  NO\nt: !!str NO\n");
  CHECK(root.find("p")->is_plain());
  for (const char* key : {"s", "d", "b", "t"}) {
    CAPTURE(key);
    CHECK(!root.find(key)->is_plain());
  }
}

TEST_CASE("plain scalars mean what YAML 1.2 says") {
  for (const char* text : {"true", "True", "TRUE", "false", "False", "FALSE"})
    CHECK(plain_meaning(text) == Plain::Boolean);
  for (const char* text :
       {"NO",    "no",  "yes",   "on",   "off", "y",   "N",          "tRUE", "-",  ".",
        "1.2.3", "0b1", "1_000", "1:30", "0x",  "0o8", "2026-11-20", "inf",  "e5", "1e"}) {
    CAPTURE(text);
    CHECK(plain_meaning(text) == Plain::Text);
  }
  for (const char* text : {"0", "-1", "+7", "010", "0x1F", "0o17"})
    CHECK(plain_meaning(text) == Plain::Integer);
  for (const char* text : {"1.5", ".5", "5.", "1e3", "-1.5E-3", ".inf", "-.inf", ".nan"}) {
    CAPTURE(text);
    CHECK(plain_meaning(text) == Plain::Float);
  }
  for (const char* text : {"", "~", "null", "NULL"}) CHECK(plain_meaning(text) == Plain::Null);
}

TEST_CASE("an unterminated quote at the end of a file is seen whatever ends the file") {
  // yaml-cpp accepts these when a newline follows.
  for (const char* text : {"a: \"b", "a: \"b\n", "a: 'b\n", "a: 'it''s\n", "a: \"x\\\"\n",
                           "a: \"b\n\n\n", "a: [\"b\n", "a: !!str \"b\n", "\"a: b\n"}) {
    CAPTURE(text);
    CHECK(refusal(text) == Code::UnterminatedQuote);
  }
}

TEST_CASE("quotes within other quotes, comments and blocks are no quotes") {
  read_one(
      "a: \"it's\"\nb: 'say \"hi\"'\nc: don't # a \" here\nd: |\n  an \" and a '\ne: \"\\\\\"\nf: "
      "x\"y\n");
}

TEST_CASE("the end of a quoted scalar is found behind tags and comments") {
  CHECK(end_of_quoted("'a'", 0) == 3);
  CHECK(end_of_quoted("'a''b' c", 0) == 6);
  CHECK(end_of_quoted("\"a\\\"b\" c", 0) == 6);
  CHECK(end_of_quoted("!!str # note\n  'a'", 0) == 18);
  CHECK(end_of_quoted("|\n  'a", 0) == 0);
  CHECK(end_of_quoted("'a", 0) == std::string_view::npos);
  CHECK(end_of_quoted("\"a\\", 0) == std::string_view::npos);
}

TEST_CASE("invalid UTF-8 is found wherever it hides") {
  for (std::string_view text :
       {std::string_view("\x80"), std::string_view("\xC0\xAF"), std::string_view("\xC1\xBF"),
        std::string_view("\xE0\x9F\xBF"), std::string_view("\xED\xA0\x80"),
        std::string_view("\xF0\x8F\xBF\xBF"), std::string_view("\xF4\x90\x80\x80"),
        std::string_view("\xF5\x80\x80\x80"), std::string_view("\xC3"),
        std::string_view("\xE2\x82"), std::string_view("\xFF")}) {
    auto problem = check_octets(text);
    REQUIRE(problem);
    CHECK(problem->code == Code::NotUtf8);
  }
  for (std::string_view text : {"\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEF\xBF\xBF",
                                "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "plain\ttext\r\n"})
    CHECK(!check_octets(text));
}

TEST_CASE("depth is bounded exactly") {
  auto nested = [](std::size_t levels) {
    return "a: " + std::string(levels, '[') + std::string(levels, ']');
  };
  CHECK(read_yaml(nested(kMaxDepth - 1)).problems.empty());
  CHECK(refusal(nested(kMaxDepth)) == Code::TooDeep);
  CHECK(refusal(nested(100'000)) == Code::TooDeep);
}

TEST_CASE("documents before a syntax error are still there") {
  YamlDocuments yaml = read_yaml("a: b\n---\nc: d\n---\ne: [\n");
  CHECK(yaml.documents.size() == 2);
  CHECK(yaml.problems.size() == 1);
}

TEST_CASE("several documents and several problems come in one go") {
  YamlDocuments yaml = read_yaml("a: 1\na: 2\n---\n- x\n---\nb: 1\nb: 2\n");
  CHECK(yaml.documents.size() == 2);
  CHECK(yaml.problems.size() == 3);
}
