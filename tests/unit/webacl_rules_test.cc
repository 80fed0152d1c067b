// SPDX-License-Identifier: MIT
// Rules in their order: actions, labels, bodies that are waited for, challenges, budgets.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/unit/webacl_fixture.h"

namespace headgate::test::acl {
namespace {

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
    - { name: one, when: { path: { exact: /a } }, labels: ["agent:good:x"], action: count }
    - { name: two, when: { label: "agent:good:" }, action: block }
    - { name: three, when: { label: "agent:good:x" }, action: block }
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

TEST_CASE("a group that is asked for what it does not have says so, each rule in its line") {
  const auto source = load(R"(
  rules:
    - { name: typo, managed: { group: owasp-crs }, override: { "942999": count, "tag:attack-sqli": off } }
    - { name: fine, managed: { group: owasp-crs }, exclude: [{ rule: 942100-942199 }] }
    - { name: setup, managed: { group: owasp-crs, setup: { allowed_method: GET } } }
    - { name: left, managed: { group: owasp-crs }, exclude: [{ rule: "tag:attack-sqlj", target: "arg:q" }] }
)");
  const auto compiled = Acl::compile(*source, {});
  REQUIRE_FALSE(compiled);
  const auto& problems = compiled.error();
  REQUIRE(problems.size() == 3);
  CHECK(problems[0].line == 7);
  CHECK(problems[0].message.find("override 942999: the group has no such rule") !=
        std::string::npos);
  CHECK(problems[1].line == 9);
  CHECK(problems[1].message.find("\"allowed_method\" (did you mean \"allowed_methods\"?)") !=
        std::string::npos);
  CHECK(problems[2].line == 10);
  CHECK(problems[2].message.find("exclude tag:attack-sqlj") != std::string::npos);
}

TEST_CASE("a managed group with the same options is compiled once") {
  const std::string group = "{ name: crs, managed: { group: owasp-crs, paranoia: 2 } }";
  Fixture fixture("  rules: [" + group + "]\n");
  const auto rules_of = [](const Acl& acl) { return acl.find("crs")->managed; };
  const auto recompiled = [&](const std::string& spec) {
    return *Acl::compile(*load(spec), {fixture.shared, nullptr});
  };
  const auto later = recompiled("  rules: [{ name: other, action: count }, " + group + "]\n");
  CHECK(rules_of(*later) == rules_of(*fixture.acl));
  CHECK(fixture.shared->rule_sets_compiled() == 1);
  const auto strict =
      recompiled("  rules: [{ name: crs, managed: { group: owasp-crs, paranoia: 3 } }]\n");
  CHECK(rules_of(*strict) != rules_of(*fixture.acl));
  CHECK(fixture.shared->rule_sets_compiled() == 2);
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

}  // namespace
}  // namespace headgate::test::acl
