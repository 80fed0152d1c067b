// SPDX-License-Identifier: MIT
// What statements hold for: fields, matchers, transformations, addresses, and all of them over each
// other.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/unit/webacl_fixture.h"

namespace headgate::test::acl {
namespace {

TEST_CASE("matchers compare octets") {
  CHECK(blocks("{ path: { exact: [/b, /a] } }", get("/a")));
  CHECK_FALSE(blocks("{ path: { exact: /a } }", get("/a/")));
  CHECK(blocks("{ path: { prefix: /ad } }", get("/admin")));
  CHECK_FALSE(blocks("{ path: { prefix: /admin/ } }", get("/admin")));
  CHECK(blocks("{ path: { suffix: [.php, .bak] } }", get("/x.bak")));
  CHECK_FALSE(blocks("{ path: { suffix: .bak } }", get("/x.baked")));
  CHECK(blocks("{ path: { contains: [no, min] } }", get("/admin")));
  CHECK_FALSE(blocks("{ path: { contains: MIN } }", get("/admin")));
  CHECK(blocks("{ query: { word: select } }", get("/?a=select-1")));
  CHECK_FALSE(blocks("{ query: { word: select } }", get("/?a=selected")));
  CHECK_FALSE(blocks("{ query: { word: select } }", get("/?a_select=1")));
  CHECK(blocks("{ query: { regex: ['^b', 'x=[0-9]+$'] } }", get("/?x=12")));
  CHECK_FALSE(blocks("{ query: { regex: 'x=[0-9]+$' } }", get("/?x=12a")));
  // Hyperscan cannot do back references by itself.
  CHECK(blocks("{ query: { regex: '(.)=\\1' } }", get("/?a=a")));
  CHECK_FALSE(blocks("{ query: { regex: '(.)=\\1' } }", get("/?a=b")));
  CHECK(blocks("{ uri: { size: { gt: 5 } } }", get("/12345")));
  CHECK_FALSE(blocks("{ uri: { size: { gt: 5 } } }", get("/1234")));
  for (const auto& [comparison, expected] :
       std::initializer_list<std::pair<const char*, bool>>{{"eq: 2", true},
                                                           {"ne: 2", false},
                                                           {"lt: 2", false},
                                                           {"le: 2", true},
                                                           {"gt: 2", false},
                                                           {"ge: 2", true}}) {
    const std::string rule = std::string("{ uri: { size: { ") + comparison + " } } }";
    CAPTURE(rule);
    CHECK(blocks(rule, get("/1")) == expected);
  }
  CHECK(blocks("{ arg: { name: q, sqli: true } }", get("/?q=1%27%20OR%20%271%27=%271")));
  CHECK_FALSE(blocks("{ arg: { name: q, sqli: true } }", get("/?q=one+or+two")));
  CHECK(blocks("{ arg: { name: q, xss: true } }", get("/?q=%3Cscript%3Ealert(1)%3C/script%3E")));
  CHECK_FALSE(blocks("{ arg: { name: q, xss: true } }", get("/?q=a%3Cb")));
}

TEST_CASE("fields are what they say") {
  CHECK(blocks("{ method: { exact: PURGE } }", {.method = "PURGE"}));
  CHECK(blocks("{ path: { exact: /admin } }", get("/x/../%61dmin")));
  CHECK(blocks("{ path: { contains: '<script' } }", get("/%3Cscript%3e")));
  CHECK(blocks("{ path: { exact: /\xc3\xa9 } }", get("/%c3%a9")));
  CHECK(blocks("{ path: { prefix: /a/b } }", get("/a%2fb")));
  CHECK(blocks("{ path: { contains: /.git/ } }", get("/x%3F/.git/config")));
  CHECK(blocks("{ uri: { contains: \"%61\" } }", get("/%61dmin")));
  CHECK(blocks("{ query: { exact: \"a=%20\" } }", get("/?a=%20")));
  CHECK(blocks("{ fragment: { exact: top } }", get("/#top")));
  CHECK(blocks("{ arg: { name: \"q\", exact: \"a b\" } }", get("/?q=a%20b")));
  CHECK(blocks("{ arg: { name: \"q\", exact: b } }", get("/?q=a&%71=b")));
  CHECK_FALSE(blocks("{ arg: { name: q, exact: a } }", get("/?p=a")));
  CHECK(blocks("{ args: { exact: p } }", get("/?p=a")));
  CHECK(blocks("{ args: { of: names, exact: p } }", get("/?p=a")));
  CHECK_FALSE(blocks("{ args: { of: values, exact: p } }", get("/?p=a")));
  CHECK_FALSE(blocks("{ args: { of: names, exact: a } }", get("/?p=a")));
  CHECK(blocks("{ args: { only: [p], exact: a } }", get("/?p=a")));
  CHECK_FALSE(blocks("{ args: { only: [q], exact: a } }", get("/?p=a")));
  CHECK_FALSE(blocks("{ args: { except: [p], exact: a } }", get("/?p=a")));
  CHECK(blocks("{ header: { name: User-Agent, contains: curl } }", with("user-agent", "curl/8")));
  CHECK(blocks("{ header: { name: host, exact: example.com } }", get("/")));
  CHECK(blocks("{ headers: { of: names, exact: x-a } }", with("x-a", "1")));
  CHECK(blocks("{ headerOrder: { exact: \"host:b:a\" } }", {.headers = {{"b", "1"}, {"a", "2"}}}));
  CHECK(blocks("{ cookie: { name: sid, exact: \"1\" } }", with("cookie", "a=b; sid=1")));
  CHECK(blocks("{ cookies: { of: values, exact: b } }", with("cookie", "a=b; sid=1")));
  CHECK(blocks("{ ja4: { prefix: t13 } }", {.ja4 = "t13d1516h2_x_y"}));
  CHECK_FALSE(blocks("{ ja4: { prefix: t13 } }", get("/")));
  CHECK(blocks("{ ja4: { prefix: t13, missing: match } }", get("/")));
  CHECK(blocks("{ body: { contains: evil } }", post("xxevilxx", "text/plain")));
  CHECK(blocks("{ form: { only: [a], exact: \"x y\" } }", post("b=1&a=x+y")));
  CHECK_FALSE(blocks("{ form: { exact: x } }", post("a=x", "text/plain")));
  CHECK(blocks("{ form: { only: [a], exact: \"x y\" } }",
               post("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx y\r\n--B--\r\n",
                    "multipart/form-data; boundary=B")));
}

TEST_CASE("members of JSON are found by name, value and pointer") {
  const std::string type = "application/json";
  const std::string body =
      R"({"user":{"name":"root","roles":["a","b"],"a/b":1},"n":1.50,"t":true})";
  CHECK(blocks("{ json: { exact: root } }", post(body, type)));
  CHECK(blocks("{ json: { of: names, exact: roles } }", post(body, type)));
  CHECK_FALSE(blocks("{ json: { of: values, exact: roles } }", post(body, type)));
  CHECK_FALSE(blocks("{ json: { of: names, exact: root } }", post(body, type)));
  CHECK(blocks("{ json: { pointers: [/user/roles/1], exact: b } }", post(body, type)));
  CHECK_FALSE(blocks("{ json: { pointers: [/user/roles/0], exact: b } }", post(body, type)));
  CHECK(blocks("{ json: { pointers: [/user], exact: b } }", post(body, type)));
  CHECK_FALSE(blocks("{ json: { pointers: [/use], exact: b } }", post(body, type)));
  CHECK(blocks("{ json: { pointers: [/user/a~1b], exact: \"1\" } }", post(body, type)));
  CHECK(blocks("{ json: { exact: \"1.50\" } }", post(body, type)));
  CHECK(blocks("{ json: { exact: \"true\" } }", post(body, type)));
  CHECK(blocks("{ json: { contains: oo } }", post("{\"a\": \"foo", type)));  // as a string
  CHECK(blocks("{ json: { contains: x, invalid: match } }", post("{", type)));
  CHECK_FALSE(blocks("{ json: { contains: oo, invalid: no_match } }", post("{\"foo", type)));
  CHECK_FALSE(blocks("{ json: { contains: x, invalid: match } }", get("/")));
  CHECK(blocks("{ json: { of: values, exact: deep } }",
               post(R"({"a":"deep","b":[1,)", type, View::Body::Beginning)));
  std::string nested(300, '[');
  CHECK(blocks("{ json: { contains: x, invalid: match } }", post(nested, type)));
}

TEST_CASE("JSON that breaks off is tested as far as it was read, and as a string") {
  const std::string type = "application/json";
  for (const char* rest : {",}", "}x", ",\"b\":NaN}", ",\"b\":\"\xff\"}"}) {
    const std::string body = std::string(R"({"user":"ro\u006ft")") + rest;
    CHECK(blocks("{ json: { pointers: [/user], exact: root } }", post(body, type)));
    CHECK(blocks("{ json: { exact: root } }", post(body, type, View::Body::Beginning)));
    CHECK(blocks("{ json: { contains: 'u006f' } }", post(body, type)));  // as a string
    CHECK(blocks("{ json: { contains: none, invalid: match } }", post(body, type)));
    CHECK_FALSE(blocks("{ json: { exact: root, invalid: no_match } }", post(body, type)));
  }
  for (const char* rest : {",\"b\":1e999}", ",\"b\":\"\\ud800\"}"}) {
    const std::string body = std::string(R"({"user":"ro\u006ft")") + rest;
    CHECK(blocks("{ json: { exact: root, invalid: no_match } }", post(body, type)));
  }
}

TEST_CASE("JSON beyond what is kept of it is what `oversize` says") {
  const std::string type = "application/json";
  const std::string deep =
      R"({"user":"ro\u006ft","a":)" + std::string(300, '[') + "1" + std::string(300, ']') + "}";
  std::string long_list = R"({"user":"ro\u006ft","a":[1)";
  for (int i = 0; i < 70000; ++i) long_list += ",1";
  long_list += R"(],"last":"x"})";
  for (const std::string& body : {deep, long_list}) {
    CHECK(blocks("{ json: { exact: root } }", post(body, type)));
    CHECK(blocks("{ json: { exact: none, oversize: match } }", post(body, type)));
    CHECK_FALSE(blocks("{ json: { exact: root, oversize: no_match } }", post(body, type)));
    CHECK_FALSE(blocks("{ json: { exact: none } }", post(body, type)));
  }
}

TEST_CASE("pointers into JSON are compared without being written out for every item") {
  const std::string type = "application/json";
  std::string body = "{\"" + std::string(100'000, 'k') + "\":[0";
  for (int i = 1; i < 20'000; ++i) body += ',' + std::to_string(i);
  body += R"(],"~/":{"":[{"x":"y"}]}})";
  CHECK(blocks("{ json: { pointers: [/none, /~0~1//0/x], exact: y } }", post(body, type)));
  CHECK_FALSE(
      blocks("{ json: { pointers: [/~0~1/x, /~0, /~0~1//00/x], exact: y } }", post(body, type)));
  Arena arena;
  std::vector<Entry> entries;
  JsonPlaces places;
  CHECK(read_json(body, true, arena, places, entries) == JsonEnd::Read);
  CHECK(entries.size() > 20'000);
  CHECK(arena.size_bytes() < 2 * body.size());
}

TEST_CASE("a form that is not well-formed is tested as a string besides") {
  const auto part = [](const std::string& name, const std::string& value) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  };
  const std::string type = "multipart/form-data; boundary=b";
  const std::string attached =
      "--b\r\nContent-Disposition: attachment; name=c\r\n\r\n\r\n--b--\r\n";
  CHECK(blocks("{ form: { only: [c], contains: attachment } }", post(attached, type)));
  CHECK(
      blocks("{ form: { only: [c], contains: evil } }",
             post(part("c", "evil") + "--b--\r\n", "multipart/form-data; boundary=a; boundary=b")));
  CHECK_FALSE(blocks("{ form: { contains: evil } }", post("evil", "text/plain")));
  CHECK_FALSE(
      blocks("{ form: { contains: form-data } }", post(part("c", "x") + "--b--\r\n", type)));
  CHECK(blocks(
      "{ form: { only: [c], exact: evil } }",
      post(part("c", "evil") + "--b--\r\n", "multipart/form-data;charset=utf-8;Boundary=b")));
}

TEST_CASE("a form of more than 1000 parts is what `oversize` says") {
  std::string body;
  for (int i = 0; i < 1001; ++i)
    body +=
        "--b\r\nContent-Disposition: form-data; name=\"p" + std::to_string(i) + "\"\r\n\r\nv\r\n";
  body += "--b--\r\n";
  const std::string type = "multipart/form-data; boundary=b";
  CHECK(blocks("{ form: { exact: none, oversize: match } }", post(body, type)));
  CHECK_FALSE(blocks("{ form: { exact: v, oversize: no_match } }", post(body, type)));
  CHECK(blocks("{ form: { exact: v } }", post(body, type)));
  CHECK(blocks("{ form: { contains: p1000 } }", post(body, type)));  // as a string
}

TEST_CASE("transformations are done in their order before the matcher") {
  CHECK(blocks("{ path: { prefix: /admin, transform: [lowercase] } }", get("/ADMIN/x")));
  CHECK(
      blocks("{ query: { contains: \"<script\", transform: [url_decode_uni, html_entity_decode, "
             "lowercase] } }",
             get("/?q=%26lt;SCRIPT")));
  CHECK_FALSE(blocks(
      "{ query: { contains: \"<script\", transform: [html_entity_decode, url_decode_uni] } }",
      get("/?q=%26lt;script")));
  CHECK(
      blocks("{ query: { contains: \"union select\", transform: [url_decode, replace_comments, "
             "compress_white_space, lowercase] } }",
             get("/?q=UNION/*x*/%20%20SELECT")));
  CHECK(blocks("{ arg: { name: q, exact: ABC, transform: [base64_decode] } }", get("/?q=QUJD")));
  CHECK(blocks("{ arg: { name: q, exact: ABC, transform: [hex_decode] } }", get("/?q=414243")));
  CHECK(blocks("{ arg: { name: q, exact: abc, transform: [sql_hex_decode, lowercase] } }",
               get("/?q=0x414243")));
  CHECK(blocks("{ arg: { name: q, contains: \"alert(1)\", transform: [js_decode] } }",
               get("/?q=\\x61lert(1)")));
  CHECK(blocks("{ arg: { name: q, exact: ab, transform: [remove_nulls] } }", get("/?q=a%00b")));
  CHECK(blocks("{ arg: { name: q, exact: /etc/passwd, transform: [normalize_path] } }",
               get("/?q=/x/../etc//passwd")));
  CHECK(blocks("{ arg: { name: q, exact: AB, transform: [uppercase] } }", get("/?q=ab")));
}

TEST_CASE("addresses, countries and autonomous systems") {
  Fixture sets = Fixture::when("{ ip: [office, 2001:db8:1::/48] }",
                               "  ipSets: { office: [203.0.113.0/24, 198.51.100.7] }\n");
  const auto from = [](const char* client) { return Request{.client = client}; };
  CHECK(blocks(sets, from("203.0.113.255")));
  CHECK(blocks(sets, from("198.51.100.7")));
  CHECK_FALSE(blocks(sets, from("198.51.100.8")));
  CHECK(blocks(sets, from("2001:db8:1:2::3")));
  CHECK_FALSE(blocks(sets, from("2001:db8:2::")));
  CHECK(blocks("{ geo: [DE, AT] }", {.country = "AT"}));
  CHECK_FALSE(blocks("{ geo: DE }", {.country = "FR"}));
  CHECK_FALSE(blocks("{ geo: DE }", get("/")));
  CHECK(blocks("{ asn: [64501, 64500] }", {.asn = 64500}));
  CHECK_FALSE(blocks("{ asn: [64500] }", get("/")));
  const std::string in = "{ forwardedIp: { in: 192.0.2.0/24";
  CHECK(blocks(in + " } }", with("x-forwarded-for", "192.0.2.9, 10.0.0.1")));
  CHECK_FALSE(blocks(in + " } }", with("x-forwarded-for", "10.0.0.1, 192.0.2.9")));
  CHECK(blocks(in + ", position: last } }", with("x-forwarded-for", "10.0.0.1, 192.0.2.9")));
  CHECK(blocks(in + ", position: any } }", with("x-forwarded-for", "1.1.1.1, 192.0.2.9, 2.2.2.2")));
  CHECK(blocks(in + ", missing: match } }", get("/")));
  CHECK(blocks(in + ", header: x-ip } }", with("x-ip", "192.0.2.1")));
  CHECK_FALSE(blocks(in + " } }", with("x-forwarded-for", "unknown")));
}

TEST_CASE("all, any and not") {
  const std::string a = "{ path: { exact: /a } }";
  const std::string q = "{ query: { exact: q } }";
  const auto both = [&](const char* kind) {
    return std::string("{ ") + kind + ": [" + a + ", " + q + "] }";
  };
  for (const char* target : {"/a?q", "/a", "/b?q", "/b"}) {
    const bool is_a = target[1] == 'a';
    const bool is_q = std::string(target).ends_with("?q");
    CAPTURE(target);
    CHECK(blocks(both("all"), get(target)) == (is_a && is_q));
    CHECK(blocks(both("any"), get(target)) == (is_a || is_q));
    CHECK(blocks("{ not: " + both("all") + " }", get(target)) == !(is_a && is_q));
    CHECK(blocks("{ not: { any: [{ not: " + a + " }, { not: " + q + " }] } }", get(target)) ==
          (is_a && is_q));
  }
}

TEST_CASE("names of headers are the same in any case") {
  CHECK(blocks("{ headers: { only: [User-Agent], contains: bad } }", with("user-agent", "bad")));
  CHECK_FALSE(
      blocks("{ headers: { except: [User-Agent], contains: bad } }", with("user-agent", "bad")));
}

}  // namespace
}  // namespace headgate::test::acl
