// SPDX-License-Identifier: MIT
// Versions and ranges: precedence as semver.org has it, and who is in which range.
#include <doctest/doctest.h>

#include "schema/base/semver.h"

using namespace headgate;

namespace {

SemanticVersion version(const char* text) {
  const auto parsed = SemanticVersion::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  return *parsed;
}

bool contains(const char* range, const char* text) {
  const auto parsed = SemanticRange::parse(range);
  REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().context));
  return parsed->contains(version(text));
}

}  // namespace

TEST_CASE("the order of semver.org, section 11") {
  const std::vector<const char*> ascending = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                              "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                              "1.0.0-rc.1",  "1.0.0",         "1.0.1",
                                              "1.2.0",       "1.10.0",        "2.0.0"};
  for (std::size_t i = 0; i < ascending.size(); ++i)
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      CAPTURE(ascending[i]);
      CAPTURE(ascending[j]);
      const int order = compare(version(ascending[i]), version(ascending[j]));
      CHECK((order < 0) == (i < j));
      CHECK((order > 0) == (i > j));
    }
  CHECK(compare(version("1.0.0+one"), version("v1.0.0+two")) == 0);
}

TEST_CASE("what is no version is none") {
  for (const char* text : {"", "v", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.03", "1.2.-3", "1.2.3-",
                           "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1.2.3+a_b", "release-1.2.3",
                           "99999999999999999999.0.0", "1.2.x"}) {
    CAPTURE(text);
    CHECK_FALSE(SemanticVersion::parse(text).has_value());
  }
  CHECK(version("1.2.3-0a.00b+001").pre_release == std::vector<std::string>{"0a", "00b"});
}

TEST_CASE("ranges hold what they say") {
  struct Case {
    const char* range;
    std::vector<const char*> inside;
    std::vector<const char*> outside;
  };
  const std::vector<Case> cases = {
      {">=1.2 <2", {"1.2.0", "1.99.9"}, {"1.1.9", "2.0.0", "2.0.0-rc.1", "1.3.0-rc.1"}},
      {">=1.2.0, <2.0.0", {"1.2.0"}, {"2.0.0"}},
      {">= 1.2", {"1.2.0"}, {"1.1.0"}},
      {"1.2", {"1.2.0", "1.2.9"}, {"1.3.0"}},
      {"1.2.x", {"1.2.0", "1.2.9"}, {"1.3.0"}},
      {"1.*", {"1.0.0", "1.9.0"}, {"2.0.0", "0.9.0"}},
      {"*", {"0.0.1", "9.0.0"}, {"1.0.0-rc.1"}},
      {"=1.2.3", {"1.2.3"}, {"1.2.4"}},
      {"v1.2.3", {"1.2.3"}, {"1.2.4"}},
      {"!=1.2.3", {"1.2.4"}, {"1.2.3"}},
      {">1.2", {"1.3.0"}, {"1.2.9"}},
      {">1.2.3", {"1.2.4"}, {"1.2.3"}},
      {"<=1.2", {"1.2.9"}, {"1.3.0"}},
      {"<=1.2.3", {"1.2.3"}, {"1.2.4"}},
      {"~1.2.3", {"1.2.3", "1.2.9"}, {"1.2.2", "1.3.0"}},
      {"~1.2", {"1.2.0"}, {"1.3.0"}},
      {"~1", {"1.9.0"}, {"2.0.0"}},
      {"^1.2.3", {"1.2.3", "1.9.0"}, {"1.2.2", "2.0.0"}},
      {"^0.2.3", {"0.2.3", "0.2.9"}, {"0.3.0"}},
      {"^0.0.3", {"0.0.3"}, {"0.0.4"}},
      {"^0", {"0.9.0"}, {"1.0.0"}},
      {"1.2 - 1.4", {"1.2.0", "1.4.9"}, {"1.5.0", "1.1.0"}},
      {"1.2.3 - 1.4.0", {"1.4.0"}, {"1.4.1"}},
      {"<1 || >=2.1", {"0.9.0", "2.1.0"}, {"1.5.0", "2.0.9"}},
      {">=1.2.0-0 <2", {"1.2.0-rc.1", "1.3.0-rc.1", "1.3.0"}, {"2.0.0-rc.1", "1.1.0"}},
      {">=1.2.0-rc.2", {"1.2.0-rc.2", "1.2.0-rc.10", "1.2.0"}, {"1.2.0-rc.1"}},
      {"^1.2.3-beta.2", {"1.2.3-beta.2", "1.2.3"}, {"1.2.3-beta.1", "2.0.0-alpha"}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.range);
    for (const char* text : one.inside) CHECK_MESSAGE(contains(one.range, text), text);
    for (const char* text : one.outside) CHECK_FALSE_MESSAGE(contains(one.range, text), text);
  }
}

TEST_CASE("a range that cannot be read says which part") {
  for (const char* text : {"", "  ", "||", "1.2 ||", ">=", "=>1.2", "1.x.3", "1.2.3.4", "latest",
                           "!=1.2", "<*", ">=1.2 <two", "~ "}) {
    CAPTURE(text);
    CHECK_FALSE(SemanticRange::parse(text).has_value());
  }
  CHECK(SemanticRange::parse(">=1.2 <two").error().context.find("<two") != std::string::npos);
}
