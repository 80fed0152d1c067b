// SPDX-License-Identifier: MIT
// When lists run, what they ask for, and what becomes of runs when configurations change.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>

#include "appliance/warm/warmer.h"
#include "tests/support/compiled_fixture.h"
#include "tests/support/self_connected_edge.h"

using namespace headgate;
using headgate::test::SelfConnectedEdge;
using headgate::warm::Json;

namespace {

using Paths = std::vector<std::string>;

constexpr const char* kShop = R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: shop }
spec:
  aliases: ["*.shop.test", shop.test, www.shop.test]
  origins: [{ id: web, domainName: web.test }]
  defaultCacheBehavior: { targetOriginId: web, viewerProtocolPolicy: allow-all }
---
apiVersion: headgate/v1
kind: Distribution
metadata: { name: other }
spec:
  aliases: [other.test]
  origins: [{ id: web, domainName: web.test }]
  defaultCacheBehavior: { targetOriginId: web, viewerProtocolPolicy: allow-all }
)";

std::string list(const std::string& name, const std::string& spec) {
  return "---\napiVersion: headgate/v1\nkind: WarmList\nmetadata: { name: " + name +
         " }\nspec: { distribution: shop, rate: 10000, " + spec + " }\n";
}

/// A warmer in front of an edge that answers as it is told.
struct Fixture {
  Fixture() {
    warm::WarmerOptions options;
    options.serve = [this](int fd) { edge.serve(fd); };
    options.record = [this](const Json& event) {
      const std::lock_guard lock(mutex);
      events.push_back(event);
      changed.notify_all();
    };
    options.now = [this] { return Timestamp(Duration(now.load())); };
    warmer = std::make_unique<warm::Warmer>(std::move(options));
    warmer->start();
  }

  void serve(const std::string& yaml, const std::vector<schema::Invalidation>& invalidated = {}) {
    auto next = std::make_shared<snapshot::Snapshot>();
    next->configuration = test::compile(kShop + yaml);
    snapshot = next;
    warmer->serves(snapshot, invalidated);
  }
  void purge(const std::string& distribution, std::optional<schema::InvalidationWarm> warm = {}) {
    schema::Invalidation invalidation;
    invalidation.name = "spring";
    invalidation.distribution = distribution;
    invalidation.warm = std::move(warm);
    warmer->serves(snapshot, {invalidation});
  }
  /// The event of the run that ends as the `count`th.
  Json event(std::size_t count) {
    std::unique_lock lock(mutex);
    REQUIRE(
        changed.wait_for(lock, std::chrono::seconds(20), [&] { return events.size() >= count; }));
    return events[count - 1];
  }

  SelfConnectedEdge edge;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Json> events;
  std::atomic<std::int64_t> now{1'000'000'000'000};
  std::shared_ptr<const snapshot::Snapshot> snapshot;
  std::unique_ptr<warm::Warmer> warmer;
};

std::vector<std::string> sorted(std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

TEST_CASE("what serves first is the boot: lists are asked for as viewers would ask") {
  Fixture f;
  f.serve(
      list(
          "front",
          "paths: [/, '/a?b=c'], concurrency: 1, headers: { X-Variant: blue, User-Agent: phone }") +
      list("later", "paths: [/later], on: [activation, purge]"));
  const Json event = f.event(1);
  CHECK(event["type"] == "warmed");
  CHECK(event["list"] == "front");
  CHECK(event["trigger"] == "boot");
  CHECK(event["result"] == "Completed");
  CHECK(event["done"] == 2);
  CHECK(event["total"] == 2);
  CHECK(f.edge.paths() == Paths{"/", "/a?b=c"});
  const std::string head = f.edge.heads().front();
  CHECK(head.starts_with("GET / HTTP/1.1\r\n"));
  for (const char* line :
       {"\r\nHost: shop.test\r\n", "\r\nX-Variant: blue\r\n", "\r\nUser-Agent: phone\r\n",
        "\r\naccept: */*\r\n", "\r\naccept-encoding: gzip, deflate, br, zstd\r\n"})
    CHECK_MESSAGE(head.find(line) != std::string::npos, head);
  CHECK(head.find("headgate-warm") == std::string::npos);
}

TEST_CASE("answers are counted: fetched, cached before, not cacheable, failed") {
  Fixture f;
  f.edge.put("/hit", {200, "abc", "headgate; hit; ttl=60", false});
  f.edge.put("/private", {200, "abc", "headgate; fwd=uri-miss; fwd-status=200", false});
  f.edge.put("/renewed", {200, "abc", "headgate; fwd=stale; fwd-status=304; ttl=9", false});
  f.edge.put("/gone", {404, "", "headgate; fwd=uri-miss; fwd-status=404", false});
  f.serve(list("front", "paths: [/hit, /private, /renewed, /gone, /new], concurrency: 1"));
  const Json event = f.event(1);
  CHECK(event["done"] == 4);
  CHECK(event["alreadyCached"] == 1);
  CHECK(event["notStored"] == 1);
  CHECK(event["failed"] == 1);
  CHECK(event["bytes"] == 10);
  CHECK(event["problem"] == "/gone: 404");
  for (const auto& family : f.warmer->families())
    if (family.name == "headgate_warm_requests_total") {
      std::map<std::string, double> counts;
      for (const auto& sample : family.samples) counts[sample.labels] = sample.value;
      CHECK(counts[R"(distribution="shop",outcome="fetched")"] == 2);
      CHECK(counts[R"(distribution="shop",outcome="failed")"] == 1);
    }
}

TEST_CASE("sitemaps and manifests lead on, within the distribution") {
  Fixture f;
  f.edge.put("/index.xml", {200,
                            "<sitemapindex><sitemap><loc>/one.xml</loc></sitemap>"
                            "<sitemap><loc>/broken.xml</loc></sitemap></sitemapindex>"});
  f.edge.put("/one.xml", {200,
                          "<urlset><url><loc>https://www.shop.test/p1</loc></url>"
                          "<url><loc>https://other.test/foreign</loc></url>"
                          "<url><loc>https://shop.test/p2#x</loc></url></urlset>"});
  f.edge.put("/broken.xml", {200, "<urlset><url><loc>/p3</loc></url>"});
  f.edge.put("/live/main.m3u8", {200, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/a.m3u8\n"});
  f.edge.put("/live/low/a.m3u8", {200, "#EXTM3U\n#EXTINF:4,\n1.ts\n"});
  f.serve(list("front", "sitemap: /index.xml, manifest: /live/main.m3u8"));
  const Json event = f.event(1);
  CHECK(sorted(f.edge.paths()) == Paths{"/broken.xml", "/index.xml", "/live/low/1.ts",
                                        "/live/low/a.m3u8", "/live/main.m3u8", "/one.xml", "/p1",
                                        "/p2", "/p3"});
  CHECK(event["done"] == 8);
  CHECK(event["failed"] == 1);
  CHECK(event["skipped"] == 1);
  CHECK(std::string(event["problem"]).starts_with("/broken.xml: line 1: "));
  for (const std::string& head : f.edge.heads()) {
    CAPTURE(head);
    const bool document =
        head.find(".xml") != std::string::npos || head.find(".m3u8") != std::string::npos;
    CHECK((head.find("accept-encoding: identity") != std::string::npos) == document);
    if (head.starts_with("GET /p1 "))
      CHECK(head.find("\r\nHost: www.shop.test\r\n") != std::string::npos);
  }
}

TEST_CASE("a purge asks again for the lists of its distribution and for what it names") {
  Fixture f;
  f.serve(list("front", "paths: [/a], on: [purge]") + list("boot", "paths: [/b], on: [boot]"));
  CHECK(f.event(1)["list"] == "boot");
  f.purge("other");
  CHECK(f.warmer->to_json()["runs"].size() == 1);
  schema::InvalidationWarm warm;
  warm.paths = {"/new"};
  warm.host = "x.shop.test";
  f.purge("shop", warm);
  f.event(3);
  std::vector<std::string> who;
  for (const std::size_t i : {2, 3}) {
    const Json event = f.event(i);
    CHECK(event["trigger"] == "purge");
    who.push_back(event.contains("list") ? event["list"] : event["invalidation"]);
  }
  CHECK(sorted(who) == Paths{"front", "spring"});
  CHECK(sorted(f.edge.paths()) == Paths{"/a", "/b", "/new"});
}

TEST_CASE("a purge during a run makes one more run, whatever the number of purges") {
  Fixture f;
  f.edge.hold();
  f.serve(list("front", "paths: [/a]"));
  f.edge.wait_for(1);
  for (int i = 0; i < 5; ++i) f.purge("shop");
  f.edge.release();
  CHECK(f.event(1)["trigger"] == "boot");
  CHECK(f.event(2)["trigger"] == "purge");
  f.warmer->ask("front");
  CHECK(f.event(3)["trigger"] == "command");
  CHECK(f.edge.paths() == Paths{"/a", "/a", "/a"});
}

TEST_CASE("a list that a commit changes replaces its run; one that it leaves alone runs on") {
  Fixture f;
  f.edge.hold();
  f.serve(list("front", "paths: [/a, /b], concurrency: 1") +
          list("same", "paths: [/s1, /s2], concurrency: 1") +
          list("gone", "paths: [/g1, /g2], concurrency: 1"));
  f.edge.wait_for(3);
  // Another file, the same words.
  f.serve(list("same", "concurrency: 1, paths: [ '/s1', '/s2' ]") +
          list("front", "paths: [/c], concurrency: 1, on: []"));
  f.edge.wait_for(4);
  f.edge.release();
  std::map<std::string, Json> results;
  for (std::size_t i = 1; i <= 4; ++i) {
    const Json event = f.event(i);
    results[std::string(event["list"]) + " " + std::string(event["result"])] = event;
  }
  CHECK(results.size() == 4);
  CHECK(results.count("front Replaced") == 1);
  CHECK(results.count("gone Replaced") == 1);
  CHECK(results["front Completed"]["total"] == 1);
  CHECK(results["same Completed"]["trigger"] == "boot");
  CHECK(sorted(f.edge.paths()) == Paths{"/a", "/c", "/g1", "/s1", "/s2"});
}

TEST_CASE("a commit that changes what is cached runs its lists, another one does not") {
  Fixture f;
  const std::string lists = list("front", "paths: [/a], on: [activation]");
  f.serve(lists);
  f.serve(lists + list("new", "paths: [/n], on: [activation]"));
  CHECK(f.event(1)["list"] == "new");
  const std::string policy =
      "---\napiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: p }\nspec: { maxTTL: 1h "
      "}\n";
  f.serve(lists + policy);
  std::string changed = kShop;
  auto next = std::make_shared<snapshot::Snapshot>();
  next->configuration = test::compile(changed.replace(changed.find("targetOriginId: web,"), 20,
                                                      "targetOriginId: web, cachePolicy: p,") +
                                      lists + policy);
  f.warmer->serves(next, {});
  const Json event = f.event(2);
  CHECK(event["list"] == "front");
  CHECK(event["trigger"] == "activation");
}

TEST_CASE("a list with a moment runs then, and not before, except by command") {
  Fixture f;
  f.serve(list("event", "paths: [/e], notBefore: 2001-09-09T02:00:00Z"));  // 780 s from `now`
  f.purge("shop");
  const auto asked = f.warmer->ask("event");
  CHECK(asked.problem == "");
  CHECK(f.event(1)["trigger"] == "command");
  f.now += 800'000;
  CHECK(f.event(2)["trigger"] == "notBefore");
  f.purge("shop");
  CHECK(f.event(3)["trigger"] == "purge");
  CHECK(f.edge.paths() == Paths{"/e", "/e", "/e"});
}

TEST_CASE("who asks learns which runs are under way, or why there are none") {
  Fixture f;
  CHECK(f.warmer->ask("").problem == "no configuration has been applied yet");
  f.edge.hold();
  f.serve(list("front", "paths: [/a]") + list("other", "paths: [/b], on: []"));
  f.edge.wait_for(1);
  const auto all = f.warmer->ask("");
  CHECK(all.runs.size() == 2);
  CHECK(f.warmer->ask("front").runs == std::vector<std::uint64_t>{1});
  const auto unknown = f.warmer->ask("frnt");
  CHECK(unknown.is_unknown);
  CHECK(unknown.problem == "there is no WarmList \"frnt\": did you mean \"front\"?");
  const Json shown = f.warmer->to_json();
  CHECK(shown["lists"].size() == 2);
  CHECK(shown["runs"][0]["id"] == 2);
  CHECK(shown["runs"][1]["state"] == "Running");
}

TEST_CASE("stopping does not wait for answers") {
  Fixture f;
  f.edge.hold();
  f.serve(list("front", "paths: [/a, /b, /c]"));
  f.edge.wait_for(3);
  f.warmer->stop();
  CHECK(f.edge.is_left());
  CHECK(f.warmer->to_json()["runs"][0]["state"] == "Stopped");
  CHECK(f.warmer->ask("front").problem != "");
}

TEST_CASE("a connection that breaks is trouble, and is tried again after a pause") {
  Fixture f;
  f.edge.put("/a", {.breaks = true});
  f.serve(list("front", "paths: [/a, /b], concurrency: 1"));
  f.edge.wait_for(1);
  f.edge.put("/a", {});
  const Json event = f.event(1);
  CHECK(event["done"] == 2);
  CHECK(std::string(event["problem"]).starts_with("/a: "));
}

TEST_CASE("a disabled distribution is not asked") {
  Fixture f;
  std::string yaml = kShop;
  yaml.replace(yaml.find("spec:\n"), 6, "spec:\n  enabled: false\n");
  auto next = std::make_shared<snapshot::Snapshot>();
  next->configuration = test::compile(yaml + list("front", "paths: [/a]"));
  f.warmer->serves(next, {});
  CHECK(f.warmer->ask("front").problem.find("not enabled") != std::string::npos);
  CHECK(f.warmer->to_json()["runs"].empty());
}
