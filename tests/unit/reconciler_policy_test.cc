// SPDX-License-Identifier: MIT
// Rules by path, the signers that they name, and commits as git stores them.
#include <doctest/doctest.h>

#include "reconciler/trust/policy.h"

using namespace headgate;
using namespace headgate::reconciler;

namespace {

const std::string kAlice =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKnxKAODlxzgCZiaYGxf+dWDzdoTSr2MzQYkzmwtkXVW";
const std::string kBob =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB35z/jFDD0sKfXG5ZnbK76aWzzWC5D4VHnYh8GjYUc5";

schema::Signers two_signers() {
  schema::Signers signers;
  signers.allowed_signers = "alice,al " + kAlice + "\nbob " + kBob + "\n";
  signers.groups = {{"both", {"al", "bob"}}};
  signers.rules = {{{"waf/**"}, {"both"}, 2, {}}, {{"**"}, {"alice"}, 1, {}}};
  return signers;
}

std::string error_of(const schema::Signers& signers) {
  const auto policy = Policy::from(signers);
  return policy ? "" : policy.error().context;
}

const std::string kTree = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
const std::string kParent = "parent 1111111111111111111111111111111111111111\n";
const std::string kPeople = "author A <a@b> 1700000000 +0000\ncommitter C <c@d> 1700000001 +0100\n";
const std::string kSignature = "gpgsig -----BEGIN\n line\n \n end\n";

}  // namespace

TEST_CASE("patterns of files") {
  const auto yes = [](const char* pattern, const char* path) {
    CHECK_MESSAGE(matches_path(pattern, path), pattern << " names " << path);
  };
  const auto no = [](const char* pattern, const char* path) {
    CHECK_FALSE_MESSAGE(matches_path(pattern, path), pattern << " does not name " << path);
  };
  yes("**", "a");
  yes("**", "a/b/c");
  yes("waf/**", "waf/a");
  yes("waf/**", "waf/a/b");
  no("waf/**", "waf");
  no("waf/**", "wafer/a");
  no("waf/**", "x/waf/a");
  yes("**/waf/**", "waf/a");
  yes("**/waf/**", "x/y/waf/a");
  yes("**/*.yaml", "a.yaml");
  yes("a/**/b", "a/b");
  yes("a/**/b", "a/x/y/b");
  no("a/**/b", "a/xb");
  yes("*.yaml", "a.yaml");
  no("*.yaml", "a/b.yaml");
  yes("?.txt", "a.txt");
  no("?.txt", ".txt");
  no("?", "/");
  yes("signers.yaml", "signers.yaml");
  no("signers.yaml", "Signers.yaml");
  no("signers.yaml", "signersxyaml");
  no("", "a");
}

TEST_CASE("patterns that would make others backtrack take no time") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  CHECK_FALSE(matches_path(pattern, std::string(4000, 'a') + "b"));
  std::string folders;
  std::string path;
  for (int i = 0; i < 150; ++i) folders += "**/a/";
  for (int i = 0; i < 1000; ++i) path += "a/";
  CHECK_FALSE(matches_path(folders + "b", path + "c"));
}

TEST_CASE("the first rule that names a path holds, and a signer counts once under all names") {
  const auto policy = Policy::from(two_signers());
  REQUIRE_MESSAGE(policy.has_value(), (policy ? "" : policy.error().context));
  CHECK(policy->rule_of("waf/rules.yaml")->required == 2);
  CHECK(policy->rule_of("waf/rules.yaml")->signers.size() == 2);
  CHECK(policy->rule_of("shop.yaml")->required == 1);
  CHECK(policy->names_of(policy->rule_of("shop.yaml")->signers) ==
        std::vector<std::string>{"alice"});
  auto narrow = two_signers();
  narrow.rules.pop_back();
  CHECK(Policy::from(narrow)->rule_of("shop.yaml") == nullptr);
}

TEST_CASE("whoever may change the rules must be as many as the strictest rule asks for") {
  CHECK(Policy::from(two_signers())->stricter_than_signers() == "waf/**");
  auto signers = two_signers();
  signers.rules[0].paths.push_back("signers.yaml");
  CHECK(Policy::from(signers)->stricter_than_signers().empty());
  signers.rules.pop_back();
  signers.rules[0].paths.pop_back();  // nobody may change them
  CHECK(Policy::from(signers)->stricter_than_signers().empty());
}

TEST_CASE("signers that nobody could meet are refused") {
  auto signers = two_signers();
  signers.rules[1].required = 2;
  CHECK(error_of(signers) == "the rule for **: 2 signers are required, and there are 1");
  signers = two_signers();
  signers.rules[0].signers = {"alice", "al"};  // one person under two names
  CHECK(error_of(signers) == "the rule for waf/**: 2 signers are required, and there are 1");
  signers = two_signers();
  signers.rules[1].signers = {"carol"};
  CHECK(error_of(signers) == "the rule for **: there is no signer or group \"carol\"");
  signers = two_signers();
  signers.groups[0].members = {"carol"};
  CHECK(error_of(signers) == "groups: both: there is no key of \"carol\"");
  signers = two_signers();
  signers.groups.push_back(signers.groups[0]);
  CHECK(error_of(signers) == "groups: there are two groups \"both\"");
  signers = two_signers();
  signers.groups[0].name = "bob";
  CHECK(error_of(signers) == "groups: \"bob\" is the name of a signer");
  signers = two_signers();
  signers.allowed_signers += "carol " + kBob + "\n";
  CHECK(error_of(signers).find("stands there twice, for bob and carol") != std::string::npos);
  signers = two_signers();
  signers.allowed_signers += "bob,al " + kBob + "\n";
  CHECK(error_of(signers).find("are two signers already") != std::string::npos);
}

TEST_CASE("a signers.yaml is one resource of its kind") {
  CHECK_FALSE(Policy::parse(""));
  CHECK_FALSE(Policy::parse("apiVersion: headgate/v1\nkind: Fleet\n"));
  CHECK_FALSE(Policy::parse("apiVersion: headgate/v1\nkind: Signers\n"));
  const std::string one =
      "apiVersion: headgate/v1\nkind: Signers\nspec:\n  allowedSigners: alice " + kAlice +
      "\n  rules: [{ paths: ['**'], signers: [alice] }]\n";
  CHECK(Policy::parse(one));
  CHECK_FALSE(Policy::parse(one + "---\n" + one));
}

TEST_CASE("a commit gives its signature and what it signs") {
  const auto commit = parse_commit(
      "id", kTree + kParent + kParent + kPeople + kSignature + "encoding x\n\nhello\n");
  REQUIRE_MESSAGE(commit.has_value(), (commit ? "" : commit.error().context));
  CHECK(commit->tree == "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
  CHECK(commit->parents.size() == 2);
  CHECK(commit->time == 1700000001);
  CHECK(commit->signature == "-----BEGIN\nline\n\nend");
  CHECK(commit->payload == kTree + kParent + kParent + kPeople + "encoding x\n\nhello\n");
  CHECK(parse_commit("id", kTree + kPeople + "\n")->signature.empty());
}

TEST_CASE("commits that two readers could read differently are refused") {
  for (const std::string& bad :
       {std::string(), std::string("\n"), kTree, kTree + kPeople, kPeople + kTree + "\n",
        kTree + kTree + kPeople + "\n", kTree + kPeople + kParent + "\n",
        kTree + kPeople + kSignature + kSignature + "\n", kTree + kPeople + "gpgsig-sha256 x\n\n",
        kTree + kPeople + "gpgsig \n\n", kTree + kPeople + kPeople + "\n",
        kTree + kPeople + "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\n",
        "tree x\n" + kPeople + "\n", kTree + "parent 12\n" + kPeople + "\n", " " + kTree + "\n",
        kTree + "author A <a@b> 1 +0\ncommitter C <c@d> x +0\n\n",
        kTree + "author A <a@b> 1 +0\ncommitter C <c@d> -5 +0\n\n"})
    CHECK_FALSE(parse_commit("id", bad));
}
