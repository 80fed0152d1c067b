// SPDX-License-Identifier: MIT
// Reading SecLang: its form, its meaning, and that nothing is left out in silence.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>
#include <variant>

#include "appliance/guard/waf/seclang/reader.h"
#include "appliance/guard/waf/seclang/words.h"

namespace {

using namespace headgate;
using namespace headgate::guard::waf;

class FilesInMemory final : public RuleFiles {
 public:
  Result<std::string> read(const std::string& path) const override {
    const auto found = files.find(path);
    if (found == files.end()) return fail(Blame::Config, "there is no {}", path);
    return found->second;
  }
  std::vector<std::string> list(const std::string& pattern) const override {
    return files.count(pattern) != 0 ? std::vector<std::string>{pattern}
                                     : std::vector<std::string>();
  }
  std::map<std::string, std::string> files;
};

// The problem of a text that has exactly one.
std::string problem_of(const std::string& text) {
  const FilesInMemory files;
  Reader reader(files);
  reader.read_text(text, "a.conf");
  REQUIRE(reader.problems().size() == 1);
  return reader.problems().front().text();
}

Program program_of(const std::string& text) {
  const FilesInMemory files;
  Reader reader(files);
  reader.read_text(text, "a.conf");
  for (const Problem& problem : reader.problems()) FAIL_CHECK(problem.text());
  return reader.take_program();
}

}  // namespace

TEST_CASE("a rule is read with its targets, operator and actions") {
  const Program program = program_of(
      "# a comment\n"
      "SecRule ARGS|!ARGS:/^a|b$/|&REQUEST_HEADERS:Host|XML:/* \"!@rx a\\\"b\\d\\\\\\\\\" \\\n"
      "    \"id:7,\\\n"
      "    phase:1,deny,status:429,t:lowercase,t:none,t:urlDecodeUni,\\\n"
      "    msg:'It\\'s %{TX.0}, %{MATCHED_VAR_NAME}',\\\n"
      "    setvar:'tx.score=+%{tx.five}',ctl:ruleRemoveTargetById=941000-942999;ARGS:x,\\\n"
      "    severity:'CRITICAL',tag:'a/b',chain\"\n"
      "  SecRule TX:score \"@ge 5\" \"setvar:!tx.gone\"\n"
      "SecMarker END\n");
  REQUIRE(program.items.size() == 3);
  const Rule& rule = std::get<Rule>(program.items[0]);
  CHECK(rule.location.line == 2);
  CHECK(rule.id == 7);
  CHECK(rule.phase == 1);
  REQUIRE(rule.targets.size() == 4);
  CHECK(rule.targets[1].exclude);
  CHECK(rule.targets[1].selector == "^a|b$");
  CHECK(rule.targets[2].count);
  CHECK(rule.targets[2].selector == "host");
  CHECK(rule.targets[3].collection == Collection::Xml);
  CHECK(rule.op.negated);
  CHECK(*rule.op.argument.literal() == "a\"b\\d\\\\");
  CHECK(rule.transformations == std::vector{Transformation::UrlDecodeUni});
  CHECK(rule.disruption == Disruption::Deny);
  CHECK(rule.status == 429);
  CHECK(rule.severity == 2);
  REQUIRE(rule.message.pieces.size() == 4);
  CHECK(std::get<std::string>(rule.message.pieces[0]) == "It's ");
  CHECK(std::get<Macro::Variable>(rule.message.pieces[1]).name == "0");
  REQUIRE(rule.effects.size() == 2);
  CHECK(std::get<SetVariable>(rule.effects[0]).how == SetVariable::How::Add);
  const Control& control = std::get<Control>(rule.effects[1]);
  CHECK(control.first_id == 941000);
  CHECK(control.last_id == 942999);
  CHECK(control.target.selector == "x");
  const Rule& link = std::get<Rule>(program.items[1]);
  CHECK(link.phase == 1);
  CHECK(std::get<SetVariable>(link.effects[0]).how == SetVariable::How::Unset);
  CHECK(std::get<Marker>(program.items[2]).name == "END");
}

TEST_CASE("what is not supported is named with its file and line") {
  const std::pair<const char*, const char*> cases[] = {
      {"\n\nSecUploadDir /tmp", "a.conf:3: the directive SecUploadDir is not supported"},
      {"SecRule ENV \"@rx a\" \"id:1\"", "the variable 'ENV' is not supported"},
      {"SecRule XML:/a/b \"@rx a\" \"id:1\"", "XML:/a/b is not supported"},
      {"SecRule ARGS \"@inspectFile a\" \"id:1\"", "the operator '@inspectFile'"},
      {"SecRule ARGS \"@rx a(\" \"id:1\"", "not a regular expression"},
      {"SecRule ARGS \"@ipMatch 1.2.3\" \"id:1\"", "'1.2.3' is not an IP address"},
      {"SecRule ARGS \"@validateByteRange 1-300\" \"id:1\"", "is not an octet"},
      {"SecRule ARGS \"@pmFromFile gone.data\" \"id:1\"", "there is no gone.data"},
      {"SecRule ARGS \"@rx a\" \"id:1,t:parityOdd7bit\"", "t:parityOdd7bit"},
      {"SecRule ARGS \"@rx a\" \"id:1,exec:/bin/sh\"", "the action 'exec'"},
      {"SecRule ARGS \"@rx a\" \"id:1,ctl:debugLogLevel=9\"", "ctl:debugLogLevel"},
      {"SecRule ARGS \"@rx a\" \"id:1,setvar:env.a=1\"", "'env.a' cannot be set"},
      {"SecRule ARGS \"@rx a\" \"id:1,msg:'%{env.a}'\"", "%{env.a} is none"},
      {"SecRule ARGS \"@rx a\" \"id:1,phase:6\"", "'6' is not a number from 1 to 5"},
      {"SecRule ARGS \"@rx a\" \"id:1,msg:'a\"", "has no end"},
      {"SecRule ARGS \"@rx a\" \"pass\"", "the rule has no id"},
      {"SecRule ARGS \"@rx a", "a.conf:1: quoting: the quote before"},
      {"SecRule ARGS \"@rx a\" \"id:1,chain\"", "ends within a chain"},
      {"Include nowhere/*.conf", "no file is named"},
      {"SecRule REMOTE_ADDR:x \"@rx a\" \"id:1\"", "takes no ':x'"},
  };
  for (const auto& [text, expected] : cases) {
    const std::string problem = problem_of(text);
    const std::string context = problem + " for " + std::string(text);
    CHECK_MESSAGE(problem.find(expected) != std::string::npos, context);
  }
}

TEST_CASE("every problem of a file is told, not only the first") {
  const FilesInMemory files;
  Reader reader(files);
  reader.read_text("SecFoo a\nSecRule ENV \"@rx a\" \"id:1\"\nSecBar b\n", "a.conf");
  CHECK(reader.problems().size() == 3);
}

TEST_CASE("files include each other, but not for ever") {
  FilesInMemory files;
  files.files["a.conf"] = "Include b.conf\n";
  files.files["b.conf"] = "SecMarker b\nIncludeOptional c.conf\n";
  Reader reader(files);
  reader.read("a.conf");
  CHECK(reader.problems().empty());
  CHECK(reader.take_program().items.size() == 1);
  files.files["b.conf"] = "Include a.conf\n";
  reader.read("a.conf");
  CHECK(reader.problems().size() == 1);
}

TEST_CASE("rules go by id and by tag, chains as a whole") {
  const Program program = program_of(
      "SecAction \"id:1,tag:'x'\"\nSecRule ARGS \"@rx a\" \"id:2,chain\"\nSecRule ARGS b\n"
      "SecAction \"id:3\"\nSecRuleRemoveById 2\nSecRuleRemoveByTag x\n");
  REQUIRE(program.items.size() == 1);
  CHECK(std::get<Rule>(program.items[0]).id == 3);
}

TEST_CASE("all of Debian's CRS is understood") {
  const std::string folder = "/usr/share/modsecurity-crs/rules";
  REQUIRE(std::filesystem::exists(folder));
  const auto files = rule_files_on_disk();
  Reader reader(*files);
  reader.read("/etc/modsecurity/crs/crs-setup.conf");
  reader.read(folder);
  for (const Problem& problem : reader.problems()) FAIL_CHECK(problem.text());
  std::size_t rules = 0;
  std::size_t markers = 0;
  for (const Program::Item& item : reader.take_program().items)
    ++(std::holds_alternative<Rule>(item) ? rules : markers);
  CHECK(rules == 800);  // 790 SecRule and 9 SecAction, and one of crs-setup
  CHECK(markers == 40);
}
