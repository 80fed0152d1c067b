// SPDX-License-Identifier: MIT
// How rules run: phases, chains, variables, controls, scores, overrides, exclusions, budgets.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/crs/transaction.h"
#include "appliance/guard/waf/seclang/reader.h"
#include "tests/support/scratch.h"

namespace {

using namespace headgate;
using namespace headgate::guard::waf;

class NoFiles final : public RuleFiles {
 public:
  Result<std::string> read(const std::string& path) const override {
    return fail(Blame::Config, "there is no {}", path);
  }
  std::vector<std::string> list(const std::string&) const override { return {}; }
};

/// Rules written in the test, and requests through them.
class Rules {
 public:
  explicit Rules(const std::string& text, CrsOptions options = {}) {
    const NoFiles files;
    Reader reader(files);
    reader.read_text(text, "test.conf");
    for (const Problem& problem : reader.problems()) FAIL_CHECK(problem.text());
    auto compiled = RuleSet::compile(reader.take_program(), options, nullptr);
    REQUIRE(compiled);
    set_ = *compiled;
  }

  std::string method = "GET";
  std::vector<Header> headers = {{"Host", "localhost"}};
  std::string body;
  CollectionStore* store = nullptr;
  base::MonoTime now{};

  /// Ids of the rules that matched, in order, behind each other.
  std::string matched(const std::string& target) {
    Request request;
    request.method = method;
    request.target = target;
    const TargetParts parts = split_target(target);
    request.path = parts.path;
    request.query = parts.query;
    request.protocol = "HTTP/1.1";
    request.headers = headers;
    request.client = *base::IpAddress::parse("192.0.2.1");
    Environment environment{workspace_, store, {}, "id", now, request.path};
    environment.country = [](const base::IpAddress&) { return std::string("NL"); };
    Transaction transaction(*set_, environment, request);
    decision = transaction.request_headers();
    if (decision.what == Decision::What::Continue) decision = transaction.request_body(body, true);
    if (decision.what == Decision::What::Continue) {
      Response response;
      response.status = 200;
      decision = transaction.response_headers(response);
      if (decision.what == Decision::What::Continue) decision = transaction.response_body("secret");
    }
    transaction.log();
    matches = transaction.matches();
    score = transaction.score("score");
    std::string ids;
    for (const Match& match : matches)
      ids += (ids.empty() ? "" : " ") + std::to_string(match.rule->id);
    return ids;
  }

  Decision decision;
  std::vector<Match> matches;
  std::int64_t score = 0;

 private:
  std::shared_ptr<const RuleSet> set_;
  Workspace workspace_;
};

}  // namespace

TEST_CASE("a rule matches after its transformations, and says on what") {
  Rules rules(
      "SecRule ARGS \"@rx <script\" \"id:1,t:urlDecodeUni,t:lowercase,capture,"
      "msg:'In %{MATCHED_VAR_NAME}',logdata:'%{TX.0}'\"");
  CHECK(rules.matched("/?q=%253CSCRIPT%253E") == "1");
  CHECK(rules.matches[0].variable == "ARGS:q");
  CHECK(rules.matches[0].value == "<script>");
  CHECK(rules.matches[0].message == "In ARGS:q");
  CHECK(rules.matches[0].logdata == "<script");
  CHECK(rules.matched("/?q=script") == "");
}

TEST_CASE("what a rule says goes to a log: cut, and without control characters") {
  Rules rules("SecRule ARGS \"@rx a\" \"id:1,msg:'%{MATCHED_VAR}'\"");
  rules.matched("/?q=a%0d%0a%22b%00%5c" + std::string(5000, 'x'));
  CHECK(rules.matches[0].value.starts_with("a\\x0d\\x0a\\x22b\\x00\\x5cxxx"));
  CHECK(rules.matches[0].value.size() < 250);
  CHECK(rules.matches[0].message.size() < 1000);
}

TEST_CASE("all links of a chain have to match; captures reach over them") {
  Rules rules(
      "SecRule ARGS:a \"@rx ^x(.*)\" \"id:1,capture,setvar:tx.seen=1,chain\"\n"
      "SecRule TX:1 \"@streq y\" \"chain\"\n"
      "SecRule &ARGS \"@eq 2\" \"setvar:tx.score=+5\"\n"
      "SecRule TX:seen \"@eq 1\" \"id:2\"");
  CHECK(rules.matched("/?a=xy&b=") == "1 2");
  CHECK(rules.score == 5);
  // What the first link sets stays even so, as in ModSecurity.
  CHECK(rules.matched("/?a=xz&b=") == "2");
  CHECK(rules.score == 0);
  CHECK(rules.matched("/?a=xy") == "2");
}

TEST_CASE("scores add up by the match, and a threshold denies") {
  Rules rules(
      "SecAction \"id:1,phase:1,nolog,setvar:tx.five=5\"\n"
      "SecRule ARGS \"@contains bad\" \"id:2,setvar:tx.score=+%{tx.five}\"\n"
      "SecRule TX:score \"@ge 10\" \"id:3,deny,status:418\"\n"
      "SecAction \"id:4\"\n"
      "SecAction \"id:5,phase:5\"");
  CHECK(rules.matched("/?a=bad") == "1 2 4 5");
  CHECK(rules.score == 5);
  CHECK_FALSE(rules.matches[0].logged);
  CHECK(rules.matched("/?a=bad&b=bad") == "1 2 3 5");
  CHECK(rules.score == 10);
  CHECK(rules.decision.what == Decision::What::Deny);
  CHECK(rules.decision.status == 418);
  CHECK(rules.decision.rule_id == 3);
}

TEST_CASE("skipAfter skips to its marker, within its phase") {
  Rules rules(
      "SecRule ARGS:skip \"@eq 1\" \"id:1,skipAfter:END\"\n"
      "SecAction \"id:2\"\nSecAction \"id:3,phase:1\"\nSecMarker END\nSecAction \"id:4\"\n"
      "SecRule ARGS:skip \"@eq 2\" \"id:5,skipAfter:NOWHERE\"\nSecAction \"id:6\"");
  CHECK(rules.matched("/?skip=1") == "3 1 4 6");
  CHECK(rules.matched("/?skip=2") == "3 2 4 5");
}

TEST_CASE("block does what the default action of the phase says") {
  const std::string rule = "SecRule ARGS \"@rx a\" \"id:1,phase:2,block\"\n";
  Rules passing("SecDefaultAction \"phase:2,log,pass\"\n" + rule);
  passing.matched("/?q=a");
  CHECK(passing.decision.what == Decision::What::Continue);
  Rules denying("SecDefaultAction \"phase:2,log,deny,status:406\"\n" + rule);
  denying.matched("/?q=a");
  CHECK(denying.decision.status == 406);
  CrsOptions options;
  options.detection_only = true;
  Rules detecting("SecDefaultAction \"phase:2,log,deny\"\n" + rule, options);
  CHECK(detecting.matched("/?q=a") == "1");
  CHECK(detecting.decision.what == Decision::What::Continue);
}

TEST_CASE("targets are left out by name, by regex and by ctl") {
  Rules rules(
      "SecRule REQUEST_FILENAME \"@streq /free\" \"id:1,ctl:ruleRemoveById=10-11\"\n"
      "SecRule REQUEST_FILENAME \"@streq /text\" \"id:2,ctl:ruleRemoveTargetById=10;ARGS:text\"\n"
      "SecRule REQUEST_FILENAME \"@streq /tag\" \"id:3,ctl:ruleRemoveTargetByTag=^attack;ARGS\"\n"
      "SecRule REQUEST_FILENAME \"@streq /off\" \"id:4,ctl:ruleEngine=Off\"\n"
      "SecRule ARGS|!ARGS:id|!ARGS:/^_/ \"@rx a\" \"id:10,tag:'attack-x'\"");
  CHECK(rules.matched("/?text=a") == "10");
  CHECK(rules.matched("/?ID=a&_x=a") == "");
  CHECK(rules.matched("/free?text=a") == "1");
  CHECK(rules.matched("/text?Text=a") == "2");
  CHECK(rules.matched("/text?text=a&b=a") == "2 10");
  CHECK(rules.matched("/tag?text=a") == "3");
  CHECK(rules.matched("/off?text=a") == "4");
}

TEST_CASE("names of variables are made while running, and found by regex") {
  Rules rules(
      "SecRule ARGS \"@rx ^http://([^/]+)\" "
      "\"id:1,capture,setvar:'tx.host_%{MATCHED_VAR_NAME}=.%{tx.1}',chain\"\n"
      "SecRule TX:/host_.*/ \"!@endsWith .%{request_headers.host}\" \"setvar:tx.score=+1\"\n"
      "SecRule ARGS_NAMES \"@rx .\" \"id:2,setvar:'tx.count_%{MATCHED_VAR_NAME}=+1'\"\n"
      "SecRule TX:/count_.*/ \"@gt 1\" \"id:3,chain\"\n"
      "SecRule MATCHED_VARS_NAMES \"@rx TX:count_ARGS_NAMES:(.*)\" "
      "\"capture,setvar:tx.twice=%{tx.1}\"\n"
      "SecRule TX:twice \"@streq b\" \"id:4\"");
  CHECK(rules.matched("/?a=http://localhost/x") == "2");
  CHECK(rules.matched("/?a=http://evil.example/x") == "1 2");
  CHECK(rules.matched("/?b=1&b=2") == "2 3 4");
}

TEST_CASE("multiMatch looks after every transformation that changes something") {
  const std::string rule =
      "SecRule ARGS \"@rx ^%41$|^a$\" \"id:1,t:urlDecodeUni,t:lowercase,setvar:tx.score=+1";
  Rules once(rule + "\"");
  once.matched("/?q=%2541");
  CHECK(once.score == 1);
  Rules many(rule + ",multiMatch\"");
  many.matched("/?q=%2541");
  CHECK(many.score == 2);
}

TEST_CASE("a regex may hold variables, a count may be compared with one") {
  Rules rules(
      "SecAction \"id:1,phase:1,nolog,setvar:'tx.allowed=utf-8|latin1',setvar:tx.most=2\"\n"
      "SecRule ARGS:charset \"!@rx ^(?:%{tx.allowed})$\" \"id:2\"\n"
      "SecRule &ARGS \"@gt %{tx.most}\" \"id:3\"\n"
      "SecRule ARGS:method \"!@within GET POST\" \"id:4\"");
  CHECK(rules.matched("/?charset=utf-8") == "1");
  CHECK(rules.matched("/?charset=utf-7") == "1 2");
  CHECK(rules.matched("/?a&b&c") == "1 3");
  CHECK(rules.matched("/?method=PUT") == "1 4");
}

TEST_CASE("bodies are read by their type, and raw where a rule asks for that") {
  Rules rules(
      "SecRule REQBODY_PROCESSOR \"@streq\" "
      "\"id:1,phase:1,nolog,ctl:forceRequestBodyVariable=On\"\n"
      "SecRule ARGS \"@streq x y\" \"id:2\"\n"
      "SecRule REQUEST_BODY \"@contains x\" \"id:3\"\n"
      "SecRule XML:/* \"@contains x\" \"id:4\"\n"
      "SecRule FILES \"@endsWith .php\" \"id:5\"\n"
      "SecRule REQBODY_ERROR \"@eq 1\" \"id:6\"");
  rules.method = "POST";
  const auto matched = [&](const char* type, const char* body) {
    rules.headers = {{"Content-Type", type}};
    rules.body = body;
    return rules.matched("/");
  };
  CHECK(matched("application/x-www-form-urlencoded", "q=x+y") == "2 3");
  CHECK(matched("application/json; charset=utf-8", "{\"q\":\"x y\"}") == "2");
  CHECK(matched("application/json", "{\"q\":\"x y\"") == "2 3 6");
  CHECK(matched("text/xml", "<a>x</a>") == "4");
  CHECK(matched("text/plain", "x") == "1 3");
  CHECK(matched(
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=f; filename=a.php\r\n\r\n\r\n--b--\r\n") ==
        "5");
}

TEST_CASE("responses are looked at, too") {
  Rules rules(
      "SecRule RESPONSE_STATUS \"@eq 200\" \"id:1,phase:3\"\n"
      "SecRule RESPONSE_BODY \"@rx s[e]cret\" \"id:2,phase:4,deny\"");
  CHECK(rules.matched("/") == "1 2");
  CHECK(rules.decision.what == Decision::What::Deny);
}

TEST_CASE("addresses and countries") {
  Rules rules(
      "SecRule REMOTE_ADDR \"@ipMatch 10.0.0.0/8,192.0.2.0/24\" \"id:1\"\n"
      "SecRule REMOTE_ADDR \"@geoLookup\" \"id:2,chain\"\n"
      "SecRule GEO:COUNTRY_CODE \"@within BE NL\" \"\"\n"
      "SecRule REMOTE_ADDR \"@rbl example.org\" \"id:3\"");
  CHECK(rules.matched("/") == "1 2");
}

TEST_CASE("IP outlives the request and expires") {
  Rules rules(
      "SecAction \"id:1,phase:1,nolog,initcol:ip=%{REMOTE_ADDR}\"\n"
      "SecRule IP:count \"@ge 2\" \"id:2\"\n"
      "SecAction \"id:3,nolog,setvar:ip.count=+1,expirevar:ip.count=60\"");
  CollectionStore store(100, std::chrono::hours(1));
  rules.store = &store;
  CHECK(rules.matched("/") == "1 3");
  CHECK(rules.matched("/") == "1 3");
  CHECK(rules.matched("/") == "1 2 3");
  rules.now += std::chrono::seconds(61);
  CHECK(rules.matched("/") == "1 3");
  rules.store = nullptr;  // then IP lives as long as the request
  CHECK(rules.matched("/") == "1 3");
  CHECK(rules.matched("/") == "1 3");
  CHECK(rules.matched("/") == "1 3");
}

TEST_CASE("a store forgets what was untouched for longest") {
  CollectionStore store(16, std::chrono::hours(1));
  for (int i = 0; i < 1000; ++i) store.set("ip:" + std::to_string(i), "a", "1", base::MonoTime());
  CHECK(store.size() <= 32);
  CHECK(store.get("ip:999", "a", base::MonoTime()) == "1");
  CHECK_FALSE(store.get("ip:0", "a", base::MonoTime()));
  CHECK_FALSE(store.get("ip:999", "a", base::MonoTime() + std::chrono::hours(1)));
}

TEST_CASE("overrides switch rules off or only count them; exclusions know the path") {
  const std::string text =
      "SecRule ARGS \"@rx a\" \"id:1,tag:'x',deny,setvar:tx.score=+5\"\n"
      "SecRule ARGS \"@rx a\" \"id:2\"";
  CrsOptions options;
  options.overrides.push_back({{1, 1, ""}, Override::Mode::Count});
  Rules counting(text, options);
  CHECK(counting.matched("/?q=a") == "1 2");
  CHECK(counting.matches[0].counted_only);
  CHECK(counting.decision.what == Decision::What::Continue);
  CHECK(counting.score == 0);
  options.overrides[0] = {{0, 0, "x"}, Override::Mode::Off};
  CHECK(Rules(text, options).matched("/?q=a") == "2");

  CrsOptions excluding;
  Exclusion exclusion;
  exclusion.rules = {1, 1, ""};
  exclusion.whole_rule = false;
  exclusion.target = {Collection::Args, Target::Select::Name, "q", false, false};
  exclusion.match = Exclusion::Path::Prefix;
  exclusion.path = "/search";
  excluding.exclusions.push_back(exclusion);
  Rules rules(text, excluding);
  CHECK(rules.matched("/search/x?q=a") == "2");
  CHECK(rules.matched("/search/x?p=a") == "1");
  CHECK(rules.matched("/other?q=a") == "1");
}

TEST_CASE("a budget ends the work, and says so") {
  CrsOptions options;
  options.work_octets = 10000;
  Rules rules("SecRule ARGS \"@rx a\" \"id:1,t:urlDecode\"\nSecAction \"id:2\"", options);
  CHECK(rules.matched("/?q=a") == "1 2");
  rules.method = "POST";
  rules.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  rules.body = "q=" + std::string(20000, '%');
  rules.matched("/");
  CHECK(rules.decision.what == Decision::What::Exhausted);
}

TEST_CASE("options that mean nothing are refused") {
  for (const int paranoia : {0, 5}) {
    CrsOptions options;
    options.paranoia = paranoia;
    const auto set = RuleSet::compile(Program(), options);
    REQUIRE_FALSE(set);
    CHECK(set.error().context.find("write 1 to 4") != std::string::npos);
  }
}

TEST_CASE("databases are compiled once and then read; a damaged one is compiled again") {
  class Cache final : public Prescan::Cache {
   public:
    std::optional<std::string> load(const std::string& digest) override {
      const auto found = kept.find(digest);
      if (found == kept.end()) return std::nullopt;
      ++loads;
      return found->second;
    }
    void store(const std::string& digest, const std::string& octets) override {
      ++stores;
      kept[digest] = octets;
    }
    std::map<std::string, std::string> kept;
    int loads = 0;
    int stores = 0;
  };
  const NoFiles files;
  Cache cache;
  const auto compile = [&] {
    Reader reader(files);
    reader.read_text("SecRule ARGS \"@rx a\" \"id:1\"", "a.conf");
    CHECK(RuleSet::compile(reader.take_program(), {}, &cache));
  };
  compile();
  CHECK(cache.stores == 1);
  compile();
  CHECK(cache.loads == 1);
  CHECK(cache.stores == 1);
  cache.kept.begin()->second.resize(20);
  compile();
  CHECK(cache.stores == 2);
}

TEST_CASE("a cache on disk keeps what it is given") {
  const test::ScratchFolder scratch;
  const auto cache = pattern_cache_on_disk(scratch / "patterns");
  CHECK_FALSE(cache->load("abc"));
  cache->store("abc", std::string("x\0y", 3));
  CHECK(cache->load("abc") == std::string("x\0y", 3));
}
