// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "appliance/cache/fill/fill.h"
#include "tests/support/cache_fixture.h"
#include "tests/support/test_loop.h"

using headgate::Duration;
using headgate::base::MonoTime;
using headgate::cache::Fill;
using headgate::cache::FillLead;
using headgate::cache::FillTable;
using headgate::cache::PurgeMode;
using headgate::cache::PurgeTable;
using headgate::cache::UriInvalidations;
using headgate::test::make_response;
using headgate::test::ManualLoop;
using headgate::test::OwnedFields;
using headgate::test::OwnedKey;
using Role = FillTable::Role;

namespace {

struct Collapsing {
  FillTable::Joined join(const OwnedKey& key, MonoTime now = {}) {
    return table.join(key.key(), purges, changes, 7, now);
  }
  FillTable table;
  PurgeTable purges;
  UriInvalidations changes;
  OwnedKey a{"shop", "/a"};
  OwnedKey b{"shop", "/b"};
};

}  // namespace

TEST_CASE("of requests for one key the first leads and the others follow it") {
  Collapsing c;
  c.purges.set_epoch(3);
  const auto leader = c.join(c.a);
  CHECK(leader.role == Role::Leader);
  CHECK(leader.fill->stamp().epoch == 3);
  CHECK(leader.fill->stamp().generation == 7);
  const auto follower = c.join(c.a);
  CHECK(follower.role == Role::Follower);
  CHECK(follower.fill.get() == leader.fill.get());
  CHECK(c.join(c.b).role == Role::Leader);
  c.table.finish(*leader.fill);
  CHECK(c.join(c.a).role == Role::Leader);
}

TEST_CASE("followers are woken once when the fill settles, and see what it settled to") {
  Collapsing c;
  ManualLoop loop;
  const auto leader = c.join(c.a);
  int calls = 0;
  const Fill::Waiter one(leader.fill, loop, [&calls] { ++calls; });
  const Fill::Waiter two(leader.fill, loop, [&calls] { ++calls; });
  CHECK(leader.fill->state() == Fill::State::Waiting);
  leader.fill->respond(make_response(c.a.key(), {}, "A"), true);
  CHECK(calls == 0);
  CHECK(loop.posts() == 1);
  loop.turn();
  CHECK(calls == 2);
  CHECK(leader.fill->state() == Fill::State::Shared);
  CHECK(leader.fill->response()->body()->contiguous() == "A");
  CHECK(c.join(c.a).role == Role::Follower);  // it can still be joined
}

TEST_CASE("one who comes after the fill has settled is called too, but not from inside") {
  Collapsing c;
  ManualLoop loop;
  const auto leader = c.join(c.a);
  leader.fill->fail({.status = 504, .proxy_error = "connection_timeout", .details = "10 s"});
  bool called = false;
  const Fill::Waiter late(leader.fill, loop, [&called] { called = true; });
  CHECK_FALSE(called);
  loop.turn();
  CHECK(called);
  CHECK(leader.fill->state() == Fill::State::Failed);
  CHECK(leader.fill->failure().status == 504);
  CHECK(leader.fill->failure().proxy_error == "connection_timeout");
}

TEST_CASE("a waiter that ends is not called, even when the wake is under way") {
  Collapsing c;
  ManualLoop loop;
  const auto leader = c.join(c.a);
  int calls = 0;
  auto early = std::make_unique<Fill::Waiter>(leader.fill, loop, [&calls] { ++calls; });
  auto late = std::make_unique<Fill::Waiter>(leader.fill, loop, [&calls] { ++calls; });
  early.reset();
  leader.fill->abandon();
  late.reset();
  loop.turn();
  CHECK(calls == 0);
}

TEST_CASE("nobody joins a fill that is private, failed or abandoned: the next one leads") {
  for (int how = 0; how < 3; ++how) {
    CAPTURE(how);
    Collapsing c;
    const auto leader = c.join(c.a);
    if (how == 0) leader.fill->respond(make_response(c.a.key(), {}, "A"), false);
    if (how == 1) leader.fill->fail({});
    if (how == 2) leader.fill->abandon();
    const auto next = c.join(c.a);
    CHECK(next.role == Role::Leader);
    CHECK(next.fill.get() != leader.fill.get());
    c.table.finish(*leader.fill);  // must not take out its successor
    CHECK(c.join(c.a).role == Role::Follower);
  }
}

TEST_CASE("who wants a response to be judged joins only a fetch whose response is, by the same") {
  Collapsing c;
  const int one = 0;
  const int other = 0;
  const auto join = [&](const void* judge) {
    return c.table.join(c.a.key(), c.purges, c.changes, 7, {}, nullptr, judge);
  };
  const auto unjudged = c.join(c.a);
  const auto judged = join(&one);
  CHECK(judged.role == Role::Leader);
  CHECK(join(&one).fill.get() == judged.fill.get());
  CHECK(join(&other).role == Role::Leader);
}

TEST_CASE(
    "who cannot use what a fill brings leads the next one, and those who come later follow that") {
  Collapsing c;
  const auto first = c.join(c.a);
  first.fill->respond(make_response(c.a.key(), {}, "A"), true);
  const auto second = c.table.join(c.a.key(), c.purges, c.changes, 7, {}, first.fill.get());
  CHECK(second.role == Role::Leader);
  CHECK(second.fill.get() != first.fill.get());
  const auto third = c.table.join(c.a.key(), c.purges, c.changes, 7, {}, first.fill.get());
  CHECK(third.role == Role::Follower);
  CHECK(third.fill.get() == second.fill.get());
}

TEST_CASE("a purge rules out fills that began before it, for those who know of the purge") {
  Collapsing c;
  const auto before = c.join(c.a);
  const PurgeTable old = c.purges;
  c.purges.add("shop", {"/a"}, PurgeMode::Revalidate, 1);
  const auto after = c.join(c.a);
  CHECK(after.role == Role::Leader);
  CHECK(after.fill.get() != before.fill.get());
  CHECK(after.fill->stamp().epoch == 1);
  CHECK(c.table.join(c.a.key(), old, c.changes, 6, {}).fill.get() == after.fill.get());
  c.table.finish(*before.fill);
  CHECK(c.join(c.a).fill.get() == after.fill.get());
}

TEST_CASE("a fill that began before its URI was changed is not joined any more") {
  Collapsing c;
  const auto before = c.join(c.a);
  c.changes.invalidate(headgate::cache::uri_hash(c.a.key().distribution, c.a.key().path));
  const auto after = c.join(c.a);
  CHECK(after.role == Role::Leader);
  CHECK(after.fill.get() != before.fill.get());
  CHECK(c.join(c.a).fill.get() == after.fill.get());
}

TEST_CASE("a key marked unshareable is fetched alone for 120 seconds") {
  Collapsing c;
  const MonoTime start{Duration(1000)};
  c.table.mark_unshareable(c.a.key(), start);
  CHECK(c.join(c.a, start).role == Role::Alone);
  CHECK_FALSE(c.join(c.a, start).fill);
  CHECK(c.join(c.b, start).role == Role::Leader);
  CHECK(c.join(c.a, start + std::chrono::milliseconds(119'999)).role == Role::Alone);
  c.table.mark_unshareable(c.a.key(), start + std::chrono::seconds(60));
  CHECK(c.join(c.a, start + std::chrono::seconds(179)).role == Role::Alone);
  CHECK(c.join(c.a, start + std::chrono::seconds(180)).role == Role::Leader);
}

TEST_CASE("marks are bounded: the oldest give way") {
  Collapsing c;
  c.table.mark_unshareable(c.a.key(), MonoTime());
  for (int i = 0; i < 50'000; ++i)
    c.table.mark_unshareable(OwnedKey("shop", "/" + std::to_string(i)).key(), MonoTime());
  CHECK(c.join(c.a).role == Role::Leader);
  int alone = 0;
  for (int i = 0; i < 50'000; ++i) {
    const OwnedKey key("shop", "/" + std::to_string(i));
    if (c.join(key).role == Role::Alone) ++alone;
  }
  CHECK(alone > 4'000);
  CHECK(alone <= 8'192);
}

TEST_CASE("equal hashes do not collapse different keys") {
  Collapsing c;
  const auto leader = c.join(c.a);
  auto colliding = c.b.key();
  colliding.hash = c.a.key().hash;
  CHECK(c.table.join(colliding, c.purges, c.changes, 0, {}).role == Role::Alone);
}

TEST_CASE("a leader that ends without a word frees its followers and its key") {
  Collapsing c;
  ManualLoop loop;
  int calls = 0;
  auto joined = c.join(c.a);
  const auto follower = c.join(c.a);
  const Fill::Waiter waiter(follower.fill, loop, [&calls] { ++calls; });
  { const FillLead lead(c.table, std::move(joined.fill)); }
  loop.turn();
  CHECK(calls == 1);
  CHECK(follower.fill->state() == Fill::State::Abandoned);
  CHECK(c.table.size() == 0);
  CHECK(c.join(c.a).role == Role::Leader);
}

TEST_CASE("a lead that is moved or has settled its fill does not abandon it") {
  Collapsing c;
  auto fill = c.join(c.a).fill;
  FillLead lead;
  lead = FillLead(c.table, fill);
  CHECK(fill->state() == Fill::State::Waiting);
  fill->respond(make_response(c.a.key(), {}, "A"), true);
  lead.end();
  CHECK(fill->state() == Fill::State::Shared);
  CHECK(c.table.size() == 0);
}

TEST_CASE("a fill that only the table remembers is led anew") {
  Collapsing c;
  { const auto lost = c.join(c.a); }
  CHECK(c.join(c.a).role == Role::Leader);
  CHECK(c.table.size() == 1);
}

TEST_CASE("followers whose request selects another variant can tell") {
  Collapsing c;
  const OwnedFields german = {{"accept-language", "de"}};
  const OwnedFields french = {{"accept-language", "fr"}};
  auto fill = c.join(c.a).fill;
  fill->respond(make_response(c.a.key(), OwnedFields{{"vary", "accept-language"}}, "Hallo"), true,
                german);
  CHECK(fill->matches(german));
  CHECK_FALSE(fill->matches(french));
  const OwnedKey named("shop", "/named");
  auto restricted = c.join(named).fill;
  restricted->respond(
      make_response(named.key(), OwnedFields{{"cache-control", "private=\"set-cookie\""}}, "x"),
      true);
  CHECK(restricted->state() == Fill::State::Private);
  auto everything = c.join(c.b).fill;
  everything->respond(make_response(c.b.key(), OwnedFields{{"vary", "*"}}, "x"), true, german);
  CHECK(everything->state() == Fill::State::Private);
}
