// SPDX-License-Identifier: MIT
// Rules over requests: every statement, field and action, in order.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory_resource>
#include <string>

#include "appliance/guard/waf/rules/acl.h"
#include "appliance/guard/waf/rules/scratch.h"
#include "appliance/http/path.h"
#include "appliance/http/query.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

namespace {

using namespace headgate;
using namespace headgate::guard::waf;
using Outcome = Inspection::Outcome;

std::shared_ptr<const schema::WebAcl> load(const std::string& spec) {
  const std::string yaml =
      "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: acl }\nspec:\n" + spec;
  schema::MemoryTree tree({{"acl.yaml", yaml}});
  schema::Loader loader;
  const auto loaded = loader.load(tree);
  for (const auto& diagnostic : loaded.diagnostics)
    if (diagnostic.severity == schema::Diagnostic::Severity::Error) FAIL(diagnostic.text());
  REQUIRE(loaded.model != nullptr);
  return loaded.model->web_acls.at("acl");
}

/// An ACL and what it works with.
struct Fixture {
  explicit Fixture(const std::string& spec, bool offline = false) {
    if (!offline) shared = std::make_shared<Shared>();
    auto compiled = Acl::compile(*load(spec), {shared, nullptr});
    if (!compiled) FAIL(compiled.error().context);
    acl = *compiled;
  }
  /// Of one rule `r` that blocks what `when` describes.
  static Fixture when(const std::string& statement, const std::string& more = "") {
    return Fixture(more + "  rules: [{ name: r, when: " + statement + ", action: block }]\n");
  }

  std::shared_ptr<Shared> shared;
  std::shared_ptr<const Acl> acl;
  Scratch scratch;
};

/// A request and what became of it.
struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string client = "192.0.2.1";
  std::string country = {};
  std::uint32_t asn = 0;
  std::string ja4 = {};
  std::string body = {};
  View::Body body_state = View::Body::None;
  std::optional<std::uint64_t> body_length = {};
  std::int64_t now_ms = 0;

  View view(std::pmr::memory_resource& memory, std::vector<http::Field>& fields) const {
    View view;
    view.method = method;
    view.target = target;
    std::string_view path;
    http::split_target(target, path, view.query);
    view.path = http::decode_path(http::canonical_path(path, memory).path, memory);
    view.host = view.authority = "example.com";
    for (const auto& [name, value] : headers) fields.push_back({name, value});
    view.fields = fields;
    view.client = *base::IpAddress::parse(client);
    view.country = guard::Country(country);
    view.asn = asn;
    view.ja4 = ja4;
    view.now = base::MonoTime(std::chrono::milliseconds(1'000'000 + now_ms));
    view.wall_now = base::WallTime(std::chrono::milliseconds(1'800'000'000'000 + now_ms));
    view.body = body;
    view.body_state = body_state;
    view.body_length = body_length;
    return view;
  }
};

struct Result {
  Outcome outcome;
  std::string rule;
  std::vector<std::string> matched;
  std::vector<std::string> labels;
  std::vector<std::pair<std::string, std::string>> inserted;
  Duration retry_after;
  std::string challenge;
  std::vector<std::string> trace;
};

Result inspect(Fixture& fixture, const Request& request) {
  std::pmr::monotonic_buffer_resource memory;
  std::vector<http::Field> fields;
  const View view = request.view(memory, fields);
  Inspection inspection(memory);
  Result result;
  const Acl::Trace trace = [&](std::string text) { result.trace.push_back(std::move(text)); };
  fixture.acl->inspect(view, inspection, fixture.scratch, memory, &trace);
  result.outcome = inspection.outcome;
  if (inspection.rule != nullptr) result.rule = inspection.rule->name;
  result.matched.assign(inspection.matched.begin(), inspection.matched.end());
  result.labels.assign(inspection.labels.begin(), inspection.labels.end());
  for (const auto& field : inspection.inserted)
    result.inserted.emplace_back(field.name, field.value);
  result.retry_after = inspection.retry_after;
  result.challenge = std::string(inspection.challenge);
  return result;
}

bool blocks(Fixture& fixture, const Request& request) {
  const Outcome outcome = inspect(fixture, request).outcome;
  REQUIRE(outcome != Outcome::NeedsBody);
  return outcome == Outcome::Block;
}
bool blocks(const std::string& statement, const Request& request) {
  Fixture fixture = Fixture::when(statement);
  return blocks(fixture, request);
}

Request get(const std::string& target) { return {.target = target}; }
Request with(const std::string& name, const std::string& value) {
  return {.headers = {{name, value}}};
}
Request post(const std::string& body, const std::string& type = "application/x-www-form-urlencoded",
             View::Body state = View::Body::Whole) {
  return {.method = "POST", .headers = {{"content-type", type}}, .body = body, .body_state = state};
}

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

TEST_CASE(
    "the first action that ends the matter counts, counting goes on, the default comes last") {
  Fixture fixture(R"(
  defaultAction: block
  rules:
    - { name: one, when: { path: { prefix: /a } }, labels: [seen], action: { count: { headers: { X-Seen: "1" } } } }
    - { name: two, when: { path: { exact: /ab } }, action: { allow: { headers: { X-Two: "2" } } } }
    - { name: three, when: { label: seen }, action: { block: { status: 418 } } }
    - { name: four, action: count }
)");
  Result result = inspect(fixture, get("/ab"));
  CHECK(result.outcome == Outcome::Allow);
  CHECK(result.rule == "two");
  CHECK(result.matched == std::vector<std::string>{"one", "two"});
  CHECK(result.inserted ==
        std::vector<std::pair<std::string, std::string>>{{"X-Seen", "1"}, {"X-Two", "2"}});
  result = inspect(fixture, get("/a"));
  CHECK(result.outcome == Outcome::Block);
  CHECK(result.rule == "three");
  CHECK(result.labels == std::vector<std::string>{"seen"});
  result = inspect(fixture, get("/b"));
  CHECK(result.outcome == Outcome::Block);
  CHECK(result.rule.empty());
  CHECK(result.matched == std::vector<std::string>{"four"});
  for (const auto& row : fixture.shared->rows()) {
    CAPTURE(row.rule);
    const auto count = [&](RuleEffect effect) { return row.tally->count(effect); };
    if (row.rule == "one") CHECK(count(RuleEffect::Count) == 2);
    if (row.rule == "two") CHECK(count(RuleEffect::Allow) == 1);
    if (row.rule == "three") CHECK(count(RuleEffect::Block) == 1);
    if (row.rule == "default") CHECK(count(RuleEffect::Block) == 1);
  }
}

TEST_CASE("a label of a namespace") {
  Fixture fixture(R"(
  rules:
    - { name: one, when: { path: { exact: /a } }, labels: ["bot:good:x"], action: count }
    - { name: two, when: { label: "bot:good:" }, action: block }
    - { name: three, when: { label: "bot:good:x" }, action: block }
)");
  CHECK(inspect(fixture, get("/a")).rule == "two");
  CHECK(inspect(fixture, get("/b")).outcome == Outcome::Allow);
}

TEST_CASE("the body is asked for only when it matters") {
  Fixture fixture(R"(
  rules:
    - { name: upload, when: { all: [{ path: { exact: /upload } }, { body: { contains: evil } }] }, action: block }
    - { name: after, when: { path: { exact: /after } }, action: block }
)");
  Request request = post("", "text/plain", View::Body::Pending);
  request.target = "/other";
  CHECK(inspect(fixture, request).outcome == Outcome::Allow);
  request.target = "/upload";
  CHECK(inspect(fixture, request).outcome == Outcome::NeedsBody);
  request.body = "an evil body";
  request.body_state = View::Body::Whole;
  CHECK(inspect(fixture, request).rule == "upload");
  request.body_state = View::Body::None;
  request.body = "";
  CHECK(inspect(fixture, request).outcome == Outcome::Allow);
}

TEST_CASE("an inspection goes on where it stopped for the body, and counts nothing twice") {
  Fixture fixture(R"(
  rules:
    - { name: head, when: { path: { exact: /u } }, labels: [seen], action: count }
    - { name: body, when: { all: [{ label: seen }, { body: { contains: evil } }] }, action: block }
    - { name: last, rate: { limit: 1, when: { body: { contains: x } } }, action: block }
)");
  std::pmr::monotonic_buffer_resource memory;
  std::vector<http::Field> fields;
  Request request = post("", "text/plain", View::Body::Pending);
  request.target = "/u";
  View view = request.view(memory, fields);
  Inspection inspection(memory);
  fixture.acl->inspect(view, inspection, fixture.scratch, memory);
  REQUIRE(inspection.outcome == Outcome::NeedsBody);
  CHECK(inspection.next_rule == 1);
  view.body_state = View::Body::Whole;
  view.body = "x";
  fixture.acl->inspect(view, inspection, fixture.scratch, memory);
  CHECK(inspection.outcome == Outcome::Allow);
  CHECK(inspection.matched.size() == 1);
}

TEST_CASE("a body that is longer than what is inspected") {
  const auto with_oversize = [](const char* oversize, const char* statement) {
    Fixture fixture =
        Fixture::when(statement, std::string("  body: { oversize: ") + oversize + " }\n");
    return blocks(fixture, post("an evil be", "text/plain", View::Body::Beginning));
  };
  CHECK(with_oversize("continue", "{ body: { contains: evil } }"));
  CHECK_FALSE(with_oversize("continue", "{ body: { contains: good } }"));
  CHECK(with_oversize("match", "{ body: { contains: good } }"));
  CHECK_FALSE(with_oversize("no_match", "{ body: { contains: evil } }"));
  CHECK_FALSE(with_oversize("match", "{ body: { contains: good, oversize: no_match } }"));
  CHECK(with_oversize("continue", "{ body: { size: { gt: 10 } } }"));
  Fixture fixture =
      Fixture::when("{ body: { size: { gt: 1KiB } } }", "  body: { oversize: no_match }\n");
  Request announced = post("x", "text/plain", View::Body::Beginning);
  announced.body_length = 1025;
  CHECK(blocks(fixture, announced));
}

TEST_CASE("a rate rule lets as many through as it says, and says when the next may come") {
  Fixture fixture(
      "  rules: [{ name: r, rate: { limit: 2, window: 10s, key: [ip, 'header:x-key', path] }, "
      "action: "
      "block }]\n");
  Request request{.target = "/a", .headers = {{"x-key", "k"}}};
  CHECK_FALSE(blocks(fixture, request));
  request.now_ms = 4000;
  CHECK_FALSE(blocks(fixture, request));
  request.now_ms = 5000;
  const Result over = inspect(fixture, request);
  CHECK(over.outcome == Outcome::Block);
  CHECK(over.retry_after == std::chrono::milliseconds(5000));
  Request other = request;
  other.headers[0].second = "l";
  CHECK_FALSE(blocks(fixture, other));
  other = request;
  other.client = "192.0.2.2";
  CHECK_FALSE(blocks(fixture, other));
  other = request;
  other.target = "/b";
  CHECK_FALSE(blocks(fixture, other));
  // Who lacks a part of the key is not counted.
  for (int i = 0; i < 5; ++i) CHECK_FALSE(blocks(fixture, {.target = "/a", .now_ms = 5000}));
  request.now_ms = 10000;
  CHECK_FALSE(blocks(fixture, request));
}

TEST_CASE("every key of a rate rule tells clients apart") {
  struct Case {
    const char* key;
    Request one;
    Request other;
  };
  const std::vector<Case> cases = {
      {"ip", {.client = "192.0.2.1"}, {.client = "192.0.2.2"}},
      {"ip", {.client = "2001:db8::1"}, {.client = "2001:db8:0:1::1"}},
      {"forwarded_ip", with("x-forwarded-for", "1.1.1.1"), with("x-forwarded-for", "1.1.1.2")},
      {"'forwarded_ip:x-ip'", with("x-ip", "1.1.1.1"), with("x-ip", "1.1.1.2")},
      {"'header:x-a'", with("x-a", "1"), with("x-a", "2")},
      {"'cookie:sid'", with("cookie", "sid=1"), with("cookie", "sid=2")},
      {"'arg:q'", get("/?q=1"), get("/?q=2")},
      {"path", get("/a"), get("/b")},
      {"method", {.method = "GET"}, {.method = "PUT"}},
      {"country", {.country = "DE"}, {.country = "FR"}},
      {"asn", {.asn = 1}, {.asn = 2}},
      {"ja4", {.ja4 = "a"}, {.ja4 = "b"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.key);
    Fixture fixture(std::string("  rules: [{ name: r, rate: { limit: 1, key: [") + each.key +
                    "] }, action: block }]\n");
    CHECK_FALSE(blocks(fixture, each.one));
    CHECK(blocks(fixture, each.one));
    CHECK_FALSE(blocks(fixture, each.other));
  }
  Fixture labels(R"(
  rules:
    - { name: a, when: { path: { exact: /a } }, labels: ["who:a"], action: count }
    - { name: b, when: { path: { exact: /b } }, labels: ["who:b"], action: count }
    - { name: r, rate: { limit: 1, key: ["label:who:"] }, action: block }
)");
  CHECK_FALSE(blocks(labels, get("/a")));
  CHECK(blocks(labels, get("/a")));
  CHECK_FALSE(blocks(labels, get("/b")));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(blocks(labels, get("/c")));
}

TEST_CASE("IPv6 addresses of one /64 are one client") {
  Fixture fixture("  rules: [{ name: r, rate: { limit: 1 }, action: block }]\n");
  CHECK_FALSE(blocks(fixture, {.client = "2001:db8::1"}));
  CHECK(blocks(fixture, {.client = "2001:db8::ffff"}));
}

TEST_CASE("counters stay when the rule stays, and begin anew when it changes") {
  const std::string rule = "{ name: r, rate: { limit: 1 }, action: block }";
  Fixture fixture("  rules: [" + rule + "]\n");
  CHECK_FALSE(blocks(fixture, get("/")));
  const auto recompile = [&](const std::string& spec) {
    fixture.acl = *Acl::compile(*load(spec), {fixture.shared, nullptr});
  };
  recompile("  rules: [{ name: other, action: count }, " + rule + "]\n");
  CHECK(blocks(fixture, get("/")));
  recompile("  rules: [{ name: r, rate: { limit: 1, window: 6m }, action: block }]\n");
  CHECK_FALSE(blocks(fixture, get("/")));
}

TEST_CASE("who has solved the challenge goes on to the next rule") {
  Fixture fixture(R"(
  rules:
    - { name: pow, when: { path: { prefix: /a } }, action: { challenge: { bits: 1, immunity: 10s } } }
    - { name: later, when: { path: { exact: /ab } }, action: block }
)");
  const Result first = inspect(fixture, get("/a"));
  CHECK(first.outcome == Outcome::Challenge);
  REQUIRE_FALSE(first.challenge.empty());
  Request solved = get("/a");
  bool passed = false;
  for (int nonce = 0; nonce < 64 && !passed; ++nonce) {
    solved.headers = {
        {"cookie", "x=y; headgate-challenge=" + first.challenge + "." + std::to_string(nonce)}};
    passed = inspect(fixture, solved).outcome == Outcome::Allow;
  }
  CHECK(passed);
  solved.target = "/ab";
  CHECK(inspect(fixture, solved).rule == "later");
  solved.now_ms = 10000;
  CHECK(inspect(fixture, solved).outcome == Outcome::Challenge);
}

TEST_CASE("explain says which text matched after which transformation") {
  Fixture fixture = Fixture::when(
      "{ all: [{ path: { prefix: /admin, transform: [url_decode, lowercase] } }, { not: { ip: "
      "10.0.0.0/8 } }, "
      "{ arg: { name: q, contains: evil } }] }");
  const Result result = inspect(fixture, get("/ADMIN?q=anevil"));
  REQUIRE(result.trace.size() == 1);
  CHECK(result.trace[0] ==
        "rule r matches: path after url_decode, lowercase, which is \"/admin\", begins with "
        "\"/admin\"; a negated statement does not hold; arg \"q\", which is \"anevil\", contains "
        "\"evil\" -> block");
}

/// A request with so many arguments that a hundred conditions are too many.
Request tiring() {
  std::string target = "/?";
  for (int i = 0; i < 8000; ++i) target += "a&";
  return get(target);
}

std::string hundred_conditions() {
  std::string any = "{ any: [";
  for (int i = 0; i < 100; ++i)
    any += fmt::format("{}{{ args: {{ contains: never{} }} }}", i == 0 ? "" : ", ", i);
  return any + "] }";
}

TEST_CASE("who makes rules give up does not get past those that refuse") {
  Fixture blocking = Fixture::when(hundred_conditions());
  CHECK(blocks(blocking, tiring()));
  for (const auto& row : blocking.shared->rows())
    if (row.rule == "r") CHECK(row.tally->count(RuleEffect::Exhausted) == 1);
  CHECK_FALSE(blocks(blocking, get("/?a&a&a")));

  const std::string when = "when: " + hundred_conditions();
  Fixture counting("  rules: [{ name: c, " + when + ", action: count }]\n");
  CHECK_FALSE(blocks(counting, tiring()));
  CHECK(inspect(counting, tiring()).matched.empty());
  Fixture allowing("  rules: [{ name: a, " + when + ", action: allow }]\n  defaultAction: block\n");
  CHECK(blocks(allowing, tiring()));
  // The same condition in a later rule has given up there, too.
  Fixture later("  rules: [{ name: c, " + when + ", action: count }, { name: b, " + when +
                ", action: block }]\n");
  CHECK(inspect(later, tiring()).rule == "b");
}

TEST_CASE("many rules about long texts leave enough for those that follow") {
  std::string rules = "  rules: [";
  for (int i = 0; i < 100; ++i)
    rules += fmt::format(
        "{{ name: r{}, when: {{ headers: {{ contains: never{} }} }}, action: block }}, ", i, i);
  Fixture fixture(rules + "{ name: git, when: { path: { contains: /.git } }, action: block }]\n");
  Request padded = get("/.git/config");
  padded.headers = {{"x-long", std::string(56'000, 'x')}};
  CHECK(inspect(fixture, padded).rule == "git");
  padded.target = "/page";
  CHECK_FALSE(blocks(fixture, padded));
}

TEST_CASE("a regex that gives up, in however short texts, refuses") {
  // A reference back is nothing for Hyperscan, and takes a backtracking matcher for ever.
  Fixture fixture = Fixture::when("{ args: { regex: '^(a|aa)+\\1?$' } }");
  std::string target = "/?";
  for (int i = 0; i < 500; ++i) target += "q=" + std::string(28, 'a') + "!&";
  CHECK(blocks(fixture, get(target)));
  for (const auto& row : fixture.shared->rows())
    if (row.rule == "r") CHECK(row.tally->count(RuleEffect::Exhausted) == 1);
}

TEST_CASE("names of headers are the same in any case") {
  CHECK(blocks("{ headers: { only: [User-Agent], contains: bad } }", with("user-agent", "bad")));
  CHECK_FALSE(
      blocks("{ headers: { except: [User-Agent], contains: bad } }", with("user-agent", "bad")));
}

}  // namespace
