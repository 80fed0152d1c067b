// SPDX-License-Identifier: MIT
// What a run may ask for and when, with moments that the tests make up.
#include <doctest/doctest.h>

#include "appliance/warm/agenda.h"

using namespace headgate::warm;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const Time kStart = Time() + seconds(1000);

Item page(const std::string& path) {
  Item item;
  item.target = {"shop.test", path};
  return item;
}

Agenda pages(int concurrency, int rate, int count) {
  Agenda agenda(concurrency, rate);
  for (int i = 0; i < count; ++i) agenda.add(page("/" + std::to_string(i)));
  return agenda;
}

Outcome answered(int status) {
  Outcome outcome;
  outcome.status = status;
  outcome.stored = true;
  return outcome;
}

/// Takes one item, which is answered at once.
void pass(Agenda& agenda, Time now, int status) {
  const auto item = agenda.take(now);
  REQUIRE(item);
  agenda.ended(*item, answered(status), now);
}

}  // namespace

TEST_CASE("requests begin no closer to each other than the rate allows") {
  Agenda agenda = pages(64, 10, 3);
  CHECK(agenda.take(kStart)->target.path == "/0");
  CHECK(!agenda.take(kStart + milliseconds(50)));
  REQUIRE(agenda.next());
  CHECK(agenda.take(*agenda.next())->target.path == "/1");
  CHECK(*agenda.next() >= kStart + milliseconds(160));
  CHECK(!agenda.take(kStart + milliseconds(150)));
  CHECK(agenda.take(kStart + milliseconds(200)));
  CHECK(!agenda.next());  // nothing is left
}

TEST_CASE("a late thread does not make up for more than a moment") {
  Agenda agenda = pages(64, 100, 50);
  REQUIRE(agenda.take(kStart));
  int taken = 0;
  while (agenda.take(kStart + seconds(10))) ++taken;
  CHECK(taken == 3);  // 20 ms of lost time, and the one that is due
}

TEST_CASE("no more requests are under way than concurrency says") {
  Agenda agenda = pages(2, 10'000, 3);
  const auto first = agenda.take(kStart);
  REQUIRE(agenda.take(kStart + seconds(1)));
  CHECK(!agenda.take(kStart + seconds(2)));
  CHECK(!agenda.next());
  agenda.ended(*first, answered(200), kStart + seconds(2));
  CHECK(agenda.take(kStart + seconds(2)));
}

TEST_CASE("what is named twice is asked for once, but a sitemap is another thing than its page") {
  Agenda agenda(1, 1);
  agenda.add(page("/a"));
  agenda.add(page("/a"));
  Item sitemap = page("/a");
  sitemap.kind = Item::Kind::Sitemap;
  agenda.add(sitemap);
  Item elsewhere = page("/a");
  elsewhere.target.host = "www.shop.test";
  agenda.add(elsewhere);
  CHECK(agenda.progress().total == 3);
}

TEST_CASE("more than fifty thousand things are counted and not asked for") {
  Agenda agenda(1, 1);
  for (std::uint64_t i = 0; i < Agenda::kMaxItems + 5; ++i) agenda.add(page(std::to_string(i)));
  CHECK(agenda.progress().total == Agenda::kMaxItems + 5);
  CHECK(agenda.progress().skipped == 5);
}

TEST_CASE("long targets are limited by what they take") {
  Agenda agenda(1, 1);
  const std::string path(1 << 20, 'x');
  for (int i = 0; i < 20; ++i) agenda.add(page("/" + std::to_string(i) + path));
  CHECK(agenda.progress().total == 20);
  CHECK(agenda.progress().skipped == 5);
}

TEST_CASE("answers are counted by what they mean for the cache") {
  Agenda agenda = pages(8, 10'000, 5);
  Outcome hit = answered(200);
  hit.hit = true;
  hit.stored = false;
  hit.bytes = 7;
  Outcome uncacheable = answered(200);
  uncacheable.stored = false;
  Outcome unusable = answered(200);
  unusable.unusable = true;
  Time now = kStart;
  for (const Outcome& outcome : {answered(200), hit, uncacheable, unusable, answered(404)}) {
    const auto item = agenda.take(now += seconds(1));
    agenda.ended(*item, outcome, now);
  }
  const Progress& progress = agenda.progress();
  CHECK(progress.done == 3);
  CHECK(progress.already_cached == 1);
  CHECK(progress.not_stored == 1);
  CHECK(progress.failed == 2);
  CHECK(progress.bytes == 7);
  CHECK(agenda.is_over());
}

TEST_CASE("a 5xx, a 429 and no answer pause everything, twice as long each time") {
  for (const int status : {500, 503, 429, 0}) {
    CAPTURE(status);
    Agenda agenda = pages(8, 1000, 8);
    Time now = kStart;
    for (const int pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
      pass(agenda, now, status);
      CHECK(agenda.is_paused(now));
      CHECK(!agenda.take(now + seconds(pause) - milliseconds(1)));
      CHECK(*agenda.next() == now + seconds(pause));
      now += seconds(pause);
    }
    // One request shows that it is over, then all go on.
    const auto probe = agenda.take(now);
    REQUIRE(probe);
    CHECK(!agenda.take(now + seconds(1)));
    agenda.ended(*probe, answered(200), now);
    CHECK(agenda.take(now + seconds(1)));
    CHECK(agenda.take(now + seconds(2)));
  }
}

TEST_CASE("requests that were under way together make one pause") {
  Agenda agenda = pages(4, 10'000, 4);
  const auto first = agenda.take(kStart);
  const auto second = agenda.take(kStart + milliseconds(1));
  const auto third = agenda.take(kStart + milliseconds(2));
  for (const auto& item : {first, second, third})
    agenda.ended(*item, answered(502), kStart + seconds(1));
  CHECK(*agenda.next() == kStart + seconds(2));
}

TEST_CASE("each thing is tried three times, later than the others, and then has failed") {
  Agenda agenda(1, 1000);
  agenda.add(page("/broken"));
  agenda.add(page("/fine"));
  Time now = kStart;
  std::string order;
  while (const auto item = agenda.take(now)) {
    order += item->target.path;
    agenda.ended(*item, answered(item->target.path == "/fine" ? 200 : 500), now);
    now += seconds(60);
  }
  CHECK(order == "/broken/fine/broken/broken");
  CHECK(agenda.progress().failed == 1);
  CHECK(agenda.progress().done == 1);
  CHECK(agenda.is_over());
  CHECK(!agenda.gave_up());
}

TEST_CASE("a run is given up when an origin fails for minutes, and what is left is skipped") {
  Agenda agenda = pages(8, 1000, 100);
  Time now = kStart;
  int tries = 0;
  while (const auto item = agenda.take(now)) {
    agenda.ended(*item, answered(503), now);
    ++tries;
    now += seconds(60);
  }
  CHECK(tries == Agenda::kMaxPauses + 1);
  CHECK(agenda.gave_up());
  CHECK(agenda.is_over());
  const Progress& progress = agenda.progress();
  CHECK(progress.done + progress.failed + progress.skipped == progress.total);
  CHECK(progress.skipped == 100);
}
