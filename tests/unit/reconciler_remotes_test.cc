// SPDX-License-Identifier: MIT
// Several URLs of one repository, and ranges of versions: who is believed, and what is said about
// the others.
#include <doctest/doctest.h>

#include "reconciler/source/source.h"
#include "tests/support/scratch.h"
#include "tests/support/silent_server.h"

using namespace headgate;
using namespace headgate::reconciler;
using test::ScratchFolder;
using test::ScratchRepository;
using State = RemoteReport::State;

namespace {

/// Two repositories that begin alike, and a Source that follows both.
struct Fixture {
  ScratchFolder folder;
  ScratchRepository first{folder / "first"};
  std::string second = folder / "second";
  base::MonoTime now = base::mono_now();
  schema::EdgeSource options;

  Fixture() {
    options.urls = {first.path(), second};
    options.timeout = std::chrono::minutes(1);
    first.write("x.yaml", "one");
  }

  /// `second` becomes what `first` is now, tags and all.
  void copy() {
    std::filesystem::remove_all(second);
    first.git("clone --quiet --mirror . '" + second + "'");
  }
  void hide(const std::string& path) { std::filesystem::rename(path, path + "-away"); }
  void show(const std::string& path) { std::filesystem::rename(path + "-away", path); }

  std::unique_ptr<Source> follow() {
    std::filesystem::create_directories(folder / "state");
    auto source = Source::open(options, folder / "state", [this] { return now; });
    REQUIRE_MESSAGE(source.has_value(), (source ? "" : source.error().context));
    return std::move(*source);
  }

  std::string commit(const std::string& content) {
    first.write("x.yaml", content);
    return first.commit(content);
  }
};

std::string fetch(Source& source, const std::string& live = "") {
  const auto commit = source.fetch(nullptr, live);
  REQUIRE_MESSAGE(commit.has_value(), (commit ? "" : commit.error().context));
  return *commit;
}

State state(const Source& source, std::size_t index) {
  return source.report().remotes[index].state;
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "where the first URL fails the next is asked, and remembered") {
  const std::string one = commit("one");
  copy();
  const auto source = follow();
  CHECK(fetch(*source) == one);
  CHECK(state(*source, 0) == State::Serving);
  CHECK(state(*source, 1) == State::Unasked);
  CHECK(source->report().trouble().empty());
  CHECK(source->take_news().empty());

  hide(first.path());
  CHECK(fetch(*source, one) == one);
  CHECK(state(*source, 0) == State::Failed);
  CHECK(state(*source, 1) == State::Serving);
  CHECK(source->report().trouble() == "FellBack");
  CHECK(says(source->report().explain(), first.path() + ": "));
  CHECK(says(source->report().explain(), second + " serves"));
  CHECK(source->take_news().size() == 2);

  show(first.path());
  const auto asked = source->report().remotes[0].answers;
  fetch(*source, one);
  CHECK(source->report().remotes[0].answers == asked);  // not yet

  now += Source::kReturnAfter;
  CHECK(fetch(*source, one) == one);
  CHECK(state(*source, 0) == State::Serving);
  CHECK(state(*source, 1) == State::Standby);
  CHECK(source->report().trouble().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a URL that never answers costs its own deadline, and the next is asked") {
  const std::string one = commit("one");
  const test::SilentServer silent;
  options.urls = {"git://" + silent.authority() + "/site", first.path()};
  options.timeout = std::chrono::seconds(2);
  const auto source = follow();
  CHECK(fetch(*source) == one);
  CHECK(says(source->report().remotes[0].message, "no answer within 2s"));
  CHECK(state(*source, 1) == State::Serving);
}

TEST_CASE_FIXTURE(Fixture, "a first URL that still fails is not asked again at every fetch") {
  const std::string one = commit("one");
  copy();
  const auto source = follow();
  hide(first.path());
  fetch(*source);
  now += Source::kReturnAfter;
  fetch(*source, one);
  fetch(*source, one);
  CHECK(source->report().remotes[0].answers.at(State::Failed) == 2);
  CHECK(source->report().remotes[1].answers.at(State::Serving) == 3);
}

TEST_CASE_FIXTURE(Fixture, "a mirror that is behind takes the edge nowhere") {
  const std::string one = commit("one");
  copy();
  const std::string two = commit("two");
  const auto source = follow();
  CHECK(fetch(*source) == two);
  hide(first.path());
  CHECK(fetch(*source, two) == two);
  CHECK(state(*source, 1) == State::Behind);
  CHECK(source->report().trouble() == "Behind");
  CHECK(says(source->report().explain(), one.substr(0, 7)));

  // The same after a restart, and when what was fetched last is not live (yet).
  CHECK(fetch(*follow(), two) == two);
  CHECK(fetch(*source, one) == two);

  // With what the mirror has now, it is as good as the other.
  show(first.path());
  copy();
  hide(first.path());
  CHECK(fetch(*source, two) == two);
  CHECK(state(*source, 1) == State::Serving);
}

TEST_CASE_FIXTURE(Fixture, "what was wrong with a URL that is not asked any more is forgotten") {
  commit("one");
  copy();
  const std::string two = commit("two");
  const auto source = follow();
  fetch(*source);
  hide(first.path());
  fetch(*source, two);
  CHECK(source->report().trouble() == "Behind");
  show(first.path());
  fetch(*source, two);
  CHECK(state(*source, 0) == State::Serving);
  CHECK(source->report().trouble().empty());
}

TEST_CASE_FIXTURE(Fixture, "a URL that is behind leads to the next one, which is ahead") {
  commit("one");
  copy();
  options.urls = {second, first.path()};
  const std::string two = commit("two");
  const auto source = follow();
  CHECK(fetch(*source, two) == two);
  CHECK(state(*source, 0) == State::Behind);
  CHECK(state(*source, 1) == State::Serving);
}

TEST_CASE_FIXTURE(Fixture, "back, or to another history, an edge goes when all URLs agree") {
  const std::string one = commit("one");
  const std::string two = commit("two");
  copy();
  const auto source = follow();
  CHECK(fetch(*source) == two);

  first.git("reset --quiet --hard HEAD~1");
  CHECK(fetch(*source, two) == two);  // the second still has it
  CHECK(state(*source, 0) == State::Behind);
  CHECK(state(*source, 1) == State::Serving);
  hide(second);
  CHECK(fetch(*source, two) == two);  // who does not answer does not agree
  show(second);
  copy();
  CHECK(fetch(*source, two) == one);
  CHECK(source->report().trouble().empty());

  const std::string three = commit("three");
  CHECK(fetch(*source, one) == three);
  first.git("reset --quiet --hard HEAD~1");
  const std::string other = commit("other");
  CHECK(fetch(*source, three) == three);
  CHECK(state(*source, 0) == State::Diverged);
  CHECK(source->report().trouble() == "Diverged");
  copy();
  CHECK(fetch(*source, three) == other);
}

TEST_CASE_FIXTURE(Fixture, "a commit that never went live may be taken out again") {
  const std::string live = commit("one");
  copy();
  const std::string refused = commit("broken");
  const auto source = follow();
  CHECK(fetch(*source, live) == refused);
  first.git("reset --quiet --hard HEAD~1");
  const std::string mended = commit("mended");
  CHECK(fetch(*source, live) == mended);
}

TEST_CASE_FIXTURE(Fixture, "one URL alone is followed wherever it goes") {
  options.urls = {first.path()};
  const std::string one = commit("one");
  const std::string two = commit("two");
  const auto source = follow();
  CHECK(fetch(*source) == two);
  first.git("reset --quiet --hard HEAD~1");
  CHECK(fetch(*source, two) == one);
  CHECK(source->report().trouble().empty());
}

TEST_CASE_FIXTURE(Fixture, "when no URL answers, each says why") {
  commit("one");
  const auto source = follow();
  hide(first.path());
  const auto failed = source->fetch(nullptr);
  REQUIRE_FALSE(failed.has_value());
  CHECK(says(failed.error().context, first.path()));
  CHECK(says(failed.error().context, second));
  CHECK(source->report().trouble().empty());  // nobody stands in for anybody
}

TEST_CASE_FIXTURE(Fixture, "with the mirror lost, nothing older than what is live is gone to") {
  commit("one");
  copy();
  const std::string two = commit("two");
  fetch(*follow());
  std::filesystem::remove_all(folder / "state/repo.git");
  hide(first.path());
  const auto failed = follow()->fetch(nullptr, two);
  REQUIRE_FALSE(failed.has_value());
  CHECK(says(failed.error().context, "no URL has " + two.substr(0, 7)));
  show(first.path());
  CHECK(fetch(*follow(), two) == two);
}

TEST_CASE_FIXTURE(Fixture, "of a range the highest version is followed, wherever it was made") {
  options.urls = {first.path()};
  options.semver = ">=1.2 <2";
  const std::string old = commit("old");
  for (const char* tag : {"v1.1.0", "1.9", "release", "v2.0.0", "v1.10.0-rc.1"})
    first.git(std::string("tag ") + tag);
  const auto source = follow();
  const auto failed = source->fetch(nullptr);
  REQUIRE_FALSE(failed.has_value());
  CHECK(says(failed.error().context, "none of its 5 tags is a version of \">=1.2 <2\""));

  const std::string one = commit("1.2.0");
  first.git("tag --annotate --message release v1.2.0");
  const std::string ten = commit("1.10.0");
  first.git("tag 1.10.0+build");
  CHECK(fetch(*source) == ten);
  CHECK(source->report().name == "1.10.0+build");
  first.git("tag --delete 1.10.0+build");
  CHECK(fetch(*source, ten) == one);  // annotated: the commit, not the tag
  CHECK(source->report().name == "v1.2.0");

  first.git("tag --force v1.2.0 " + old);
  CHECK(fetch(*source, one) == old);
  const auto news = source->take_news();
  REQUIRE(news.size() == 1);
  CHECK(says(news[0], "the tag v1.2.0 was moved from " + one.substr(0, 7)));
}

TEST_CASE_FIXTURE(Fixture,
                  "among several URLs a higher version leads forward, a lower one is behind") {
  options.semver = "1.x";
  const std::string one = commit("1.0.1");
  first.git("tag v1.0.1");
  copy();
  first.git("checkout --quiet --orphan next");
  const std::string two = commit("1.1.0");
  first.git("tag v1.1.0");
  const auto source = follow();
  hide(first.path());
  CHECK(fetch(*source) == one);
  show(first.path());
  now += Source::kReturnAfter;
  CHECK(fetch(*source, one) == two);
  hide(first.path());
  CHECK(fetch(*source, two) == two);
  CHECK(state(*source, 1) == State::Behind);
}

TEST_CASE_FIXTURE(Fixture, "tokens and proxies that no URL is there for are refused") {
  schema::EdgeSource source;
  const schema::Secret token{schema::Secret::Source::File, {}, "/run/token"};
  const auto refusal = [&] {
    const Status checked = Source::check(source);
    return checked ? std::string() : checked.error().context;
  };
  CHECK(says(refusal(), "--source"));
  source.urls = {"http://git.example.com/a", "ssh://git@git.example.com/a"};
  source.token = token;
  CHECK(says(refusal(), "https://"));
  source.urls[0] = "https://git.example.com/a";
  CHECK(refusal().empty());
  source.credentials = {{"other.example.com", "ci", token}};
  CHECK(says(refusal(), "other.example.com"));
  source.credentials[0].host = "git.example.com";
  CHECK(refusal().empty());
  source.proxy = "socks5://proxy:1080";
  CHECK(refusal().empty());
  source = {};
  source.urls = {"ssh://git@git.example.com/a"};
  source.proxy = "http://proxy:3128";
  CHECK(says(refusal(), "ProxyJump"));
  source.proxy.clear();
  source.semver = "latest";
  CHECK(says(refusal(), "--semver"));
}
