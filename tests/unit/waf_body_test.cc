// SPDX-License-Identifier: MIT
// What bodies, queries and cookies are found to hold, broken ones too.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/body/boundary.h"
#include "appliance/guard/waf/body/parsers.h"

namespace {

using namespace headgate::guard::waf;

// "name=value|…"
std::string joined(const std::vector<NamedValue>& values) {
  std::string text;
  for (const NamedValue& value : values) {
    if (!text.empty()) text += '|';
    text.append(value.name).append("=").append(value.value);
  }
  return text;
}

struct Parsed {
  Arena arena;
  BodyContent content;
  BodyLimits limits;

  std::string urlencoded(std::string_view text) {
    parse_urlencoded(text, limits, arena, content);
    return joined(content.arguments);
  }
  std::string multipart(std::string_view text, bool whole = true,
                        std::string_view type = "multipart/form-data; boundary=b") {
    parse_multipart(text, type, whole, limits, arena, content);
    return joined(content.arguments);
  }
  std::string json(std::string_view text, bool whole = true) {
    parse_json(text, whole, limits, arena, content);
    return joined(content.arguments);
  }
  void xml(std::string_view text, bool whole = true) {
    parse_xml(text, whole, limits, arena, content);
  }
};

}  // namespace

TEST_CASE("a form is pairs, decoded once") {
  CHECK(Parsed().urlencoded("a=1&b=%2541+c&&d&=e&f=g=h") == "a=1|b=%41 c|d=|=e|f=g=h");
  Parsed broken;
  CHECK(broken.urlencoded("a=%zz") == "a=%zz");
  CHECK(broken.content.invalid_url_encoding);
  Parsed many;
  many.limits.arguments = 2;
  CHECK(many.urlencoded("a=1&b=2&c=3") == "a=1|b=2");
  CHECK(many.content.too_many_arguments);
}

TEST_CASE("cookies keep their values as they are") {
  std::vector<NamedValue> cookies;
  CHECK(parse_cookies(" a=1; b=%41;; =c;d ; e==  ", BodyLimits(), cookies));
  CHECK(joined(cookies) == "a=1|b=%41|d =|e==");
  BodyLimits limits;
  limits.arguments = 5;
  CHECK(parse_cookies("f=2; ;", limits, cookies));
  CHECK_FALSE(parse_cookies("; g=3", limits, cookies));
  CHECK(cookies.size() == 5);
}

TEST_CASE("parts of a form are arguments and files") {
  Parsed parsed;
  const std::string text =
      "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo\r\n"
      "--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"x\\\"y.txt\"\r\n"
      "Content-Type: text/plain\r\n\r\n12345\r\n--b--\r\n";
  CHECK(parsed.multipart(text) == "a=one\r\ntwo");
  CHECK(joined(parsed.content.files) == "f=x\"y.txt");
  CHECK(joined(parsed.content.part_headers) ==
        "a=Content-Disposition: form-data; name=\"a\"|"
        "f=content-disposition: form-data; name=\"f\"; filename=\"x\\\"y.txt\"|"
        "f=Content-Type: text/plain");
  CHECK(parsed.content.file_octets == 5);
  CHECK(parsed.content.error.empty());
  CHECK_FALSE(parsed.content.multipart_strict_error);
}

TEST_CASE("a form with bare line feeds is read, but is not strict") {
  Parsed parsed;
  CHECK(parsed.multipart("--b\nContent-Disposition: form-data; name=a\n\nv\n--b--") == "a=v");
  CHECK(parsed.content.error.empty());
  CHECK(parsed.content.multipart_strict_error);
}

TEST_CASE("what is wrong with a form is told, and what it holds is kept") {
  const std::string part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n";
  const std::pair<std::string, const char*> cases[] = {
      {part, "the last boundary is missing"},
      {part + "--bx\r\n--b--\r\n", "text behind a boundary"},
      {part + "-- b\r\n--b--\r\n", "white space before a boundary"},
      {part + "--b\r\nnonsense\r\n\r\n--b--\r\n", "without a name"},
      {part + "--b\r\nX: y\r\n\r\n--b--\r\n", "without Content-Disposition"},
      {part + "--b\r\nContent-Disposition: attachment\r\n\r\n--b--\r\n", "no form-data"},
      {part + "--b\r\n folded\r\n\r\n--b--\r\n", "folded"},
      {"", "no boundary in the body"},
  };
  for (const auto& [text, expected] : cases) {
    Parsed parsed;
    const std::string arguments = parsed.multipart(text);
    const std::string context = parsed.content.error + " for " + std::string(text);
    CHECK_MESSAGE(parsed.content.error.find(expected) != std::string::npos, context);
    CHECK(parsed.content.multipart_strict_error);
    CHECK(arguments.starts_with(text.empty() ? "" : "a=v"));
  }
  Parsed beginning;
  CHECK(beginning.multipart(part + "--b\r\nContent-Disposition: form-data; name=c\r\n\r\nbegi",
                            false) == "a=v|c=begi");
  CHECK(beginning.content.error.empty());
}

TEST_CASE("parts that lenient receivers understand are read, but are not strict") {
  const std::string end = "\r\n\r\nv\r\n--b--\r\n";
  for (const char* part : {"--b \t\r\nContent-Disposition: form-data; name=a",
                           "--b\r\nContent-Disposition: Form-Data; Name=\"a\"",
                           "--b\r\nContent-Disposition: form-data; x=y; name=a",
                           "--b\r\nContent-Disposition: form-data; name=a; z=\"\""}) {
    Parsed parsed;
    CHECK_MESSAGE(parsed.multipart(part + end) == "a=v", part);
    CHECK_MESSAGE(parsed.content.error.empty(), part);
    CHECK_MESSAGE(parsed.content.multipart_strict_error, part);
  }
  Parsed last;
  CHECK(last.multipart("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--b-- \r\n") ==
        "a=v");
  CHECK(last.content.error.empty());
}

TEST_CASE("a part with an empty file name is a field as well as a file") {
  Parsed parsed;
  CHECK(parsed.multipart("--b\r\nContent-Disposition: form-data; name=\"a\"; FileName=\"\"\r\n\r\n"
                         "v\r\n--b--\r\n") == "a=v");
  CHECK(joined(parsed.content.files) == "a=");
}

TEST_CASE("a form of more parts, or headers of parts, than the limit says so") {
  const std::string part = "--b\r\nContent-Disposition: form-data; name=a\r\n";
  Parsed parts;
  parts.limits.arguments = 2;
  CHECK(parts.multipart(part + "\r\n1\r\n" + part + "\r\n2\r\n" + part + "\r\n3\r\n--b--\r\n") ==
        "a=1|a=2");
  CHECK(parts.content.too_many_arguments);
  Parsed headers;
  headers.limits.arguments = 2;
  std::string lines = part;
  for (int i = 0; i < 8; ++i) lines += "x: 1\r\n";
  headers.multipart(lines + "\r\n1\r\n--b--\r\n");
  CHECK(headers.content.part_headers.size() == 8);
  CHECK(headers.content.too_many_arguments);
}

TEST_CASE("boundaries that receivers disagree about are not strict, or refused") {
  CHECK(find_boundary("multipart/form-data; boundary=abc").strict);
  CHECK(find_boundary("Multipart/Form-Data;boundary=abc; charset=utf-8").text == "abc");
  for (const char* type :
       {"multipart/form-data; boundary=\"abc\"", "multipart/form-data boundary=abc",
        "multipart/form-data; boundary = abc", "multipart/form-data; Boundary=abc",
        "multipart/form-data;charset=utf-8;boundary=abc",
        "multipart/form-data; x=\"y;\\\"\"; BOUNDARY=abc",
        "multipart/form-data; boundary=\"abc\" ; charset=utf-8",
        "multipart/form-data;; boundary=abc ;", "multipart/form-data; x; boundary=abc"}) {
    CHECK_MESSAGE(find_boundary(type).text == "abc", type);
    CHECK_MESSAGE(!find_boundary(type).strict, type);
  }
  for (const char* type :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary",
        "multipart/form-data; boundary=a; boundary=b", "multipart/form-data; boundary*0=a",
        "multipart/form-data; boundary=a; Boundary=b", "multipart/form-data2; boundary=a",
        "multipart/form-data; x=\"; boundary=a", "multipart/form-data; boundary=\"a\"b",
        "multipart/form-data; boundary=\"a", "multipart/form-data; boundary=a\x80"}) {
    CHECK_MESSAGE(find_boundary(type).text.empty(), type);
    CHECK_MESSAGE(!find_boundary(type).error.empty(), type);
  }
}

TEST_CASE("every scalar of JSON is an argument under the path to it") {
  Parsed parsed;
  CHECK(parsed.json(R"({"a":{"b":[1,{"c":"x"},[null]]},"d":true,"e":1.50,"f":-7})") ==
        "json.a.b.array_0=1|json.a.b.array_1.c=x|json.a.b.array_2.array_0=|json.d=true|"
        "json.e=1.50|json.f=-7");
  CHECK(parsed.content.error.empty());
  CHECK(Parsed().json("[\"a\\u0041\"]") == "json.array_0=aA");
  CHECK(Parsed().json("\"x\"") == "json=x");
}

TEST_CASE("broken, deep and endless JSON is an error, and what came before is kept") {
  Parsed broken;
  CHECK(broken.json(R"({"a":1,"b":)") == "json.a=1");
  CHECK_FALSE(broken.content.error.empty());
  Parsed beginning;
  CHECK(beginning.json(R"({"a":1,"b":)", false) == "json.a=1");
  CHECK(beginning.content.error.empty());
  Parsed wrong;
  wrong.json(R"({"a":1,bcd)", false);
  CHECK_FALSE(wrong.content.error.empty());
  Parsed deep;
  deep.json(std::string(100000, '['));
  CHECK(deep.content.error == "JSON: deeper than 64");
  CHECK(deep.content.too_many_arguments);
  Parsed names;
  names.limits.arguments = 10000;
  std::string items = "1";
  for (int i = 0; i < 2000; ++i) items += ",1";
  names.json("{\"" + std::string(1000, 'k') + "\":[" + items + "]}");
  CHECK(names.content.arguments.size() > 1000);
  CHECK(names.content.arguments.size() < 1100);
  CHECK(names.content.too_many_arguments);
  Parsed many;
  many.limits.arguments = 3;
  CHECK(many.json("[1,2,3,4]") == "json.array_0=1|json.array_1=2|json.array_2=3");
  CHECK(many.content.too_many_arguments);
}

TEST_CASE("numbers beyond a double and lone surrogates do not hide the rest of JSON") {
  Parsed numbers;
  CHECK(numbers.json("[1e999, -1.5E+400,\n1e-999,7]") ==
        "json.array_0=1e999|json.array_1=-1.5E+400|json.array_2=1e-999|json.array_3=7");
  CHECK(numbers.content.error.empty());
  Parsed alone;
  CHECK(alone.json(R"({"a\udc00":"\ud800","b":"\uD800x\uD800\ud83d\ude00","c":"\\ud800"})") ==
        "json.a\xef\xbf\xbd=\xef\xbf\xbd|json.b=\xef\xbf\xbdx\xef\xbf\xbd\xf0\x9f\x98\x80|json.c="
        "\\ud800");
  CHECK(alone.content.error.empty());
  for (const char* text :
       {"[1e999e]", "[-]", "[1e999x]", "[\"\\ud8", "[\"\\ud800", "[\"\\", "[1e"}) {
    Parsed broken;
    broken.json(text);
    CHECK_MESSAGE(!broken.content.error.empty(), text);
  }
}

TEST_CASE("XML is its text and its attributes") {
  Parsed parsed;
  parsed.xml("<?xml version=\"1.0\"?><a x='1'>b<c y=\"&lt;2\">d</c><![CDATA[<e>]]></a>");
  CHECK(parsed.content.xml_text == "bd<e>");
  CHECK(parsed.content.xml_attributes == std::vector<std::string_view>{"1", "<2"});
  CHECK(parsed.content.error.empty());
  Parsed broken;
  broken.xml("<a>text<b>");
  CHECK(broken.content.xml_text == "text");
  CHECK_FALSE(broken.content.error.empty());
  Parsed beginning;
  beginning.xml("<a>text<b>", false);
  CHECK(beginning.content.error.empty());
  Parsed external;
  external.xml("<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>x&e;y</a>");
  CHECK(external.content.xml_text.empty());
  CHECK(external.content.error == "XML: a DOCTYPE that declares something");
  Parsed bomb;
  std::string entities = "<!DOCTYPE a [<!ENTITY e0 \"" + std::string(100, 'x') + "\">";
  for (int i = 0; i < 4; ++i) {
    entities += "<!ENTITY e" + std::to_string(i + 1) + " \"";
    for (int k = 0; k < 10; ++k) entities += "&e" + std::to_string(i) + ";";
    entities += "\">";
  }
  bomb.xml(entities + "]><a>&e4;</a>");
  CHECK(bomb.content.xml_text.empty());
  CHECK_FALSE(bomb.content.error.empty());
  Parsed plain;
  plain.xml("<!DOCTYPE html><a>x</a>");
  CHECK(plain.content.xml_text == "x");
  CHECK(plain.content.error.empty());
  Parsed deep;
  std::string open;
  for (int i = 0; i < 1000; ++i) open += "<a>";
  deep.xml(open);
  CHECK(deep.content.error == "XML: too deep");
  CHECK(deep.content.too_many_arguments);
  Parsed attributes;
  attributes.limits.arguments = 1;
  attributes.xml("<a x='1' y='2'/>");
  CHECK(attributes.content.xml_attributes.size() == 1);
  CHECK(attributes.content.too_many_arguments);
}
