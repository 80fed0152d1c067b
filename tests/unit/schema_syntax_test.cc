// SPDX-License-Identifier: MIT
// Path patterns, ignore rules, paths, names: the small languages of a repository.
#include <doctest/doctest.h>

#include "schema/files/ignore.h"
#include "schema/files/repository_files.h"
#include "schema/text.h"
#include "schema/validate/distribution.h"
#include "schema/validate/syntax.h"

using namespace headgate::schema;

namespace {

bool accepts(const Format& format, std::string text) { return format.check(text).empty(); }

std::string rewritten(const Format& format, std::string text) {
  REQUIRE(format.check(text).empty());
  return text;
}

}  // namespace

TEST_CASE("a pattern covers another when every path of the other is its own") {
  CHECK(covers("*", "/anything"));
  CHECK(covers("/api/*", "/api/*"));
  CHECK(covers("/api/*", "api/v1/*"));
  CHECK(covers("*.jpg", "/images/?.jpg"));
  CHECK(covers("/a?c", "/abc"));
  CHECK(covers("/a?c", "/a?c"));
  CHECK(covers("/*/b/*", "/x/b/*y"));
  CHECK(covers("/a**", "/a*"));
}

TEST_CASE("a pattern does not cover another that matches more") {
  CHECK(!covers("/api/v1/*", "/api/*"));
  CHECK(!covers("/a?c", "/a*c"));
  CHECK(!covers("*.jpg", "/images/*"));
  CHECK(!covers("/abc", "/a?c"));
  CHECK(!covers("/a", "/a/*"));
  CHECK(!covers("/A", "/a"));
  CHECK(!covers("", "/a"));
}

TEST_CASE("ignore rules follow gitignore") {
  IgnoreRules rules(
      "# "
      "comment\n*.tmpl.yaml\n!keep.tmpl.yaml\n/charts/\nnotes/**/draft.yaml\nlocal\n**/cache/"
      "*.yaml\na/b\n\n  \n");
  CHECK(rules.ignores("x.tmpl.yaml"));
  CHECK(rules.ignores("deep/er/x.tmpl.yaml"));
  CHECK(!rules.ignores("keep.tmpl.yaml"));
  CHECK(rules.ignores("charts/values.yaml"));
  CHECK(!rules.ignores("deep/charts/values.yaml"));
  CHECK(!rules.ignores("charts"));  // only the folder
  CHECK(rules.ignores("notes/draft.yaml"));
  CHECK(rules.ignores("notes/a/b/draft.yaml"));
  CHECK(!rules.ignores("notes/a/mydraft.yaml"));
  CHECK(rules.ignores("local/x.yaml"));
  CHECK(rules.ignores("a/local/x.yaml"));
  CHECK(rules.ignores("cache/x.yaml"));
  CHECK(rules.ignores("a/cache/x.yaml"));
  CHECK(!rules.ignores("a/cache/b/x.yaml"));
  CHECK(rules.ignores("a/b"));
  CHECK(!rules.ignores("x/a/b"));
  CHECK(!rules.ignores("comment"));
}

TEST_CASE("what is in an ignored folder cannot be taken back") {
  IgnoreRules rules("charts/\n!charts/keep.yaml\n");
  CHECK(rules.ignores("charts/keep.yaml"));
}

TEST_CASE("a hostile pattern does not take forever") {
  std::string pattern, text(2000, 'a');
  for (int i = 0; i < 200; ++i) pattern += "*a";
  CHECK(!IgnoreRules(pattern + "b").ignores(text));
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "**/a";
  CHECK(!IgnoreRules(wide + "b").ignores(text));
}

TEST_CASE("YAML files are configuration unless hidden or overlays") {
  CHECK(is_configuration("a.yaml"));
  CHECK(is_configuration("a/b/c.yml"));
  CHECK(is_configuration("overlays.yaml"));
  CHECK(!is_configuration(".github/workflows/ci.yaml"));
  CHECK(!is_configuration("a/.hidden/b.yaml"));
  CHECK(!is_configuration(".sops.yaml"));
  CHECK(!is_configuration("overlays/prod/a.yaml"));
  CHECK(!is_configuration("a/overlays/prod/a.yaml"));
  CHECK(!is_configuration("a.json"));
  CHECK(!is_configuration("yaml"));
}

TEST_CASE("a path cannot leave the repository") {
  CHECK(resolve_path("a/b/", "c.html") == "a/b/c.html");
  CHECK(resolve_path("a/b/", "../c.html") == "a/c.html");
  CHECK(resolve_path("a/b/", "../../c.html") == "c.html");
  CHECK(resolve_path("a/b/", "./x/../c.html") == "a/b/c.html");
  CHECK(resolve_path("", "a//b") == "a/b");
  CHECK(resolve_path("a/b/", "../../../c.html").empty());
  CHECK(resolve_path("", "..").empty());
  CHECK(resolve_path("a/", "/etc/passwd").empty());
  CHECK(resolve_path("", std::string("a\0b", 3)).empty());
}

TEST_CASE("aliases are names, wildcards and addresses in one canonical spelling") {
  CHECK(rewritten(kAlias, "Shop.Example.COM") == "shop.example.com");
  CHECK(rewritten(kAlias, "[2001:DB8:0:0::1]") == "2001:db8::1");
  CHECK(rewritten(kAlias, "*.a.example") == "*.a.example");
  CHECK(accepts(kAlias, "*"));
  CHECK(accepts(kAlias, "localhost"));
  CHECK(accepts(kAlias, "a_b.example.com"));
  CHECK(accepts(kAlias, std::string(63, 'a') + ".com"));
  CHECK(!accepts(kAlias, std::string(64, 'a') + ".com"));
  CHECK(!accepts(kAlias, ""));
  CHECK(!accepts(kAlias, "*."));
  CHECK(!accepts(kAlias, "*.*.com"));
  CHECK(!accepts(kAlias, "a.com."));
  CHECK(!accepts(kAlias, "-a.com"));
  CHECK(!accepts(kAlias, "1.2.3"));
  CHECK(!accepts(kAlias, "[1.2.3.4]"));
  CHECK(!accepts(kAlias, "a b"));
}

TEST_CASE("networks keep to their length") {
  CHECK(rewritten(kCidr, "10.0.0.0/8") == "10.0.0.0/8");
  CHECK(rewritten(kCidr, "192.0.2.1") == "192.0.2.1/32");
  CHECK(rewritten(kCidr, "2001:DB8::/32") == "2001:db8::/32");
  CHECK(accepts(kCidr, "0.0.0.0/0"));
  CHECK(!accepts(kCidr, "10.0.0.1/8"));
  CHECK(!accepts(kCidr, "10.0.0.0/33"));
  CHECK(!accepts(kCidr, "10.0.0.0/"));
  CHECK(!accepts(kCidr, "10.0.0.0/-1"));
  CHECK(!accepts(kCidr, "::1/129"));
}

TEST_CASE("listeners are an address and a port") {
  for (const char* text : {"127.0.0.1:0", "0.0.0.0:65535", "[::]:443", ":8080", "localhost:80"})
    CHECK(accepts(kListen, text));
  for (const char* text : {"127.0.0.1", "80", "::1:80", "[::1]", "127.0.0.1:65536",
                           "example.com:80", "[1.2.3.4]:80"}) {
    CAPTURE(text);
    CHECK(!accepts(kListen, text));
  }
  CHECK(accepts(kAdmin, "unix:/run/x.sock"));
  CHECK(!accepts(kAdmin, "unix:" + std::string(108, 'a')));
}

TEST_CASE("headers that carry the protocol are not for sale") {
  CHECK(!forbidden_header("Transfer-Encoding", HeaderUse::ToOrigin).empty());
  CHECK(!forbidden_header("hOsT", HeaderUse::ToOrigin).empty());
  CHECK(forbidden_header("X-Edge-Auth", HeaderUse::ToOrigin).empty());
  CHECK(forbidden_header("Authorization", HeaderUse::ToOrigin).empty());
  CHECK(!forbidden_header("Age", HeaderUse::ToViewer).empty());
  CHECK(!forbidden_header("Headgate-Generation", HeaderUse::ToViewer).empty());
  CHECK(forbidden_header("Server", HeaderUse::ToViewer).empty());
  CHECK(forbidden_header("Cache-Control", HeaderUse::ToViewer).empty());
  CHECK(!forbidden_header("Cookie", HeaderUse::Forwarded).empty());
  CHECK(forbidden_header("Host", HeaderUse::Forwarded).empty());
}

TEST_CASE("the nearest word is one that could have been meant") {
  std::vector<std::string> words = {"origins", "originGroups", "comment"};
  CHECK(nearest("orgins", words) == "origins");
  CHECK(nearest("ORIGINS", words) == "origins");
  CHECK(nearest("oirgins", words) == "origins");
  CHECK(nearest("completely", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(nearest(std::string(1000, 'a'), words).empty());
}

TEST_CASE("control characters never leave as they came") {
  CHECK(escape_control("a\x1b[31m\r\n\x7f") == "a\\x1b[31m\\x0d\\x0a\\x7f");
  CHECK(escape_control("\xC2\x9b"
                       "31m") == "\\x9b31m");
  CHECK(escape_control("größe") == "größe");
  CHECK(in_quotes(std::string(79, 'a') + "ö").size() ==
        79 + 2 + 3);  // the cut does not split a character
}
