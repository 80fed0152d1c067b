// SPDX-License-Identifier: MIT
// Matchers: regexes, pattern sets, phrases, addresses, form, injection.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/match/injection.h"
#include "appliance/guard/waf/match/ip_set.h"
#include "appliance/guard/waf/match/pattern_set.h"
#include "appliance/guard/waf/match/phrases.h"
#include "appliance/guard/waf/match/regex.h"
#include "appliance/guard/waf/match/relax.h"
#include "appliance/guard/waf/match/validate.h"
#include "appliance/guard/waf/seclang/reader.h"

namespace {

using namespace headgate::guard::waf;
using namespace std::string_view_literals;

std::vector<std::uint32_t> scanned(const PatternSet& set, std::string_view text) {
  Workspace workspace;
  std::vector<std::uint32_t> ids;
  CHECK(set.scan(text, workspace, ids));
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace

TEST_CASE("a regex finds groups, and '$' is the end alone") {
  Workspace workspace;
  const auto regex = Regex::compile("(?i)a(x)?(b.)$");
  REQUIRE(regex);
  Captures captures;
  CHECK(regex->search("zzAB\n", workspace, &captures) == Found::Yes);
  CHECK(captures.count == 3);
  CHECK(captures.groups[0] == "AB\n");
  CHECK(captures.groups[1] == "");
  CHECK(captures.groups[2] == "B\n");
  CHECK(regex->search("AB!\n", workspace) == Found::No);
  CHECK(regex->search("", workspace) == Found::No);
}

TEST_CASE("a regex that backtracks without end gives up") {
  Workspace workspace;
  const auto regex = Regex::compile("^(a+)+$(?<!b)c?d");
  REQUIRE(regex);
  const std::string text = std::string(60, 'a') + "b";
  const auto evil = Regex::compile("^(?:a+)+(?:a+)+c\\1?()");
  REQUIRE(evil);
  CHECK(evil->search(text, workspace) == Found::Exhausted);
}

TEST_CASE("what is not a regex is refused with its offset") {
  const auto regex = Regex::compile("a(b");
  REQUIRE_FALSE(regex);
  CHECK(regex.error().context.find("offset 3") != std::string::npos);
}

TEST_CASE("a pattern set reports every pattern of a text, and survives the disk") {
  std::vector<Pattern> patterns = {{Pattern::Kind::Regex, "sel[e]ct\\s", 7},
                                   {Pattern::Kind::Phrase, "a.(B", 8},
                                   {Pattern::Kind::Phrase, "zz", 8},
                                   {Pattern::Kind::Regex, "(x)y\\1", 9},  // only approximated
                                   {Pattern::Kind::Regex, "^$", 10}};
  std::vector<std::uint32_t> refused;
  auto set = PatternSet::compile(patterns, refused);
  REQUIRE(set);
  CHECK(refused.empty());
  CHECK(scanned(*set, "select A.(b") == std::vector<std::uint32_t>{7, 8});
  CHECK(scanned(*set, "xyx") == std::vector<std::uint32_t>{9});
  CHECK(scanned(*set, "") == std::vector<std::uint32_t>{10});
  CHECK(scanned(*set, "nothing").empty());
  const auto octets = set->serialize();
  REQUIRE(octets);
  const auto again = PatternSet::deserialize(*octets);
  REQUIRE(again);
  CHECK(scanned(*again, "zZ") == std::vector<std::uint32_t>{8});
  CHECK_FALSE(PatternSet::deserialize(octets->substr(0, octets->size() / 2)));
  CHECK_FALSE(PatternSet::deserialize("nonsense"));
}

TEST_CASE("a regex is cut where its beginning still has to match") {
  CHECK(sequence_ends("a(b|c)*d") == std::vector<std::size_t>{1, 7, 8});
  CHECK(sequence_ends("[]|)]+?\\x41{2,3}\\)") == std::vector<std::size_t>{7, 16, 18});
  CHECK(sequence_ends("(?i)a{b") == std::vector<std::size_t>{4, 5, 6, 7});
  CHECK(sequence_ends("[[:alpha:]|]a") == std::vector<std::size_t>{12, 13});
  CHECK(sequence_ends("ab|c").empty());
  CHECK(sequence_ends("a(b").empty());
  CHECK(sequence_ends("\\Qa|b\\E").empty());
}

TEST_CASE("a regex too large for Hyperscan is looked for by its beginning") {
  // The CRS has some: 932100, which begins with what separates commands.
  const auto files = rule_files_on_disk();
  Reader reader(*files);
  reader.read("/usr/share/modsecurity-crs/rules/REQUEST-932-APPLICATION-ATTACK-RCE.conf");
  std::string large;
  for (const Program::Item& item : reader.take_program().items) {
    const Rule* const rule = std::get_if<Rule>(&item);
    if (rule != nullptr && rule->id == 932100) large = *rule->op.argument.literal();
  }
  REQUIRE(large.size() > 4000);
  std::vector<Pattern> patterns = {{Pattern::Kind::Regex, large, 3}};
  std::vector<std::uint32_t> refused;
  const auto set = PatternSet::compile(patterns, refused);
  REQUIRE(set);
  CHECK(refused.empty());
  CHECK(scanned(*set, "; wget http://example.com") == std::vector<std::uint32_t>{3});
  CHECK(scanned(*set, "wget http://example.com").empty());
}

TEST_CASE("a workspace serves sets in any order") {
  std::vector<std::uint32_t> refused;
  std::vector<Pattern> small = {{Pattern::Kind::Regex, "a", 1}};
  std::vector<Pattern> large;
  for (std::uint32_t i = 0; i < 200; ++i)
    large.push_back({Pattern::Kind::Regex, "w" + std::to_string(i) + "[a-f]{2,9}x.*y", i});
  const auto first = PatternSet::compile(large, refused);
  const auto second = PatternSet::compile(small, refused);
  REQUIRE((first && second));
  Workspace workspace;
  std::vector<std::uint32_t> ids;
  CHECK(second->scan("a", workspace, ids));
  CHECK(first->scan("w7abcx__y", workspace, ids));
  CHECK(second->scan("a", workspace, ids));
  CHECK(ids == std::vector<std::uint32_t>{1, 7, 1});
}

TEST_CASE("phrases are found in any letter case, the one that ends first") {
  const Phrases phrases({"She", "hers", "he", "", "é"});
  CHECK(phrases.find("uSHErs") == "SHE");
  CHECK(phrases.find("xhe") == "he");
  CHECK(phrases.find("xhxe").empty());
  CHECK(phrases.find("caf\xc3\xa9") == "\xc3\xa9");
  CHECK(Phrases({}).find("anything").empty());
  CHECK(read_phrase_lines("# c\r\n  a b \n\n#\nc") == std::vector<std::string>{"a b", "c"});
}

TEST_CASE("an address is in a set when one of its networks has it") {
  IpSet set;
  CHECK(set.add("10.0.0.0/8"));
  CHECK(set.add("10.1.0.0/16"));
  CHECK(set.add("192.0.2.7"));
  CHECK(set.add("2001:db8::/33"));
  CHECK_FALSE(set.add("10.0.0.0/33"));
  CHECK_FALSE(set.add("example.com"));
  set.finish();
  const auto contains = [&](std::string_view address) {
    return set.contains(*headgate::base::IpAddress::parse(address));
  };
  CHECK(contains("10.255.255.255"));
  CHECK_FALSE(contains("11.0.0.0"));
  CHECK_FALSE(contains("9.255.255.255"));
  CHECK(contains("192.0.2.7"));
  CHECK_FALSE(contains("192.0.2.6"));
  CHECK(contains("2001:db8:7fff::1"));
  CHECK_FALSE(contains("2001:db8:8000::1"));
  CHECK_FALSE(set.contains(headgate::base::IpAddress()));
}

TEST_CASE("octets, percent-encoding and UTF-8 are checked to the letter") {
  const auto range = ByteRange::parse("9, 32-126");
  REQUIRE(range);
  CHECK(range->first_outside("a\tb") == std::string_view::npos);
  CHECK(range->first_outside("a\nb") == 1);
  CHECK_FALSE(ByteRange::parse("1-256"));
  CHECK_FALSE(ByteRange::parse("5-4"));
  CHECK_FALSE(ByteRange::parse("a"));
  CHECK_FALSE(ByteRange::parse(""));
  CHECK(valid_url_encoding("a%20b"));
  CHECK_FALSE(valid_url_encoding("a%2"));
  CHECK_FALSE(valid_url_encoding("%%20"));
  CHECK(valid_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (const std::string_view bad :
       {"\xc0\xaf"sv, "\xe0\x80\xaf"sv, "\xed\xa0\x80"sv, "\xff"sv, "\xf4\x90\x80\x80"sv, "\xc3"sv,
        "\x80"sv, "\xf0\x8f\x80\x80"sv})
    CHECK_FALSE(valid_utf8(bad));
}

TEST_CASE("injection is told from text") {
  SqliFingerprint fingerprint;
  CHECK(is_sql_injection("1' or '1'='1", &fingerprint));
  CHECK(fingerprint.text() == "s&sos");
  CHECK_FALSE(is_sql_injection("O'Neill and sons"));
  CHECK_FALSE(is_sql_injection(""));
  CHECK(is_cross_site_scripting("<script>alert(1)</script>"));
  CHECK_FALSE(is_cross_site_scripting("a < b and c > d"));
}
