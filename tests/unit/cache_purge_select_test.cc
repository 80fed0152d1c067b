// SPDX-License-Identifier: MIT
// What an invalidation may select by beyond paths.
#include <doctest/doctest.h>

#include "appliance/cache/purge/table.h"
#include "tests/support/cache_fixture.h"

using namespace headgate;
using namespace headgate::cache;
using test::kSomeTime;
using test::OwnedFields;
using test::OwnedKey;

namespace {

PurgeRule rule(PurgeSelect select, std::uint64_t epoch = 1,
               PurgeMode mode = PurgeMode::Revalidate) {
  PurgeRule made;
  made.id = "r";
  made.distribution = "shop";
  made.select = std::move(select);
  made.mode = mode;
  made.epoch = epoch;
  return made;
}

struct Facts {
  OwnedFields fields = {};
  int status = 200;
  Stamp stamp = {};
  std::string host = {};
  std::string behavior = "*";
  std::string distribution = "shop";
  std::string path = "/page";
};

base::Ref<StoredResponse> response(const Facts& facts) {
  const OwnedKey owned(facts.distribution, facts.path);
  Key key = owned.key();
  key.host = facts.host;
  key.behavior = facts.behavior;
  return StoredResponse::make(key, facts.status, facts.fields, Body::of("x"), facts.stamp,
                              base::MonoTime(), base::MonoTime(), kSomeTime, Duration::zero());
}

bool hits(const PurgeSelect& select, const Facts& facts) {
  PurgeTable table;
  table.add(rule(select));
  return table.check(*response(facts)) != Purged::No;
}

}  // namespace

TEST_CASE("tags come from Surrogate-Key by spaces and from Cache-Tag by commas, case ignored") {
  const Facts both{.fields = {{"surrogate-key", "product:42  Front"},
                              {"cache-tag", "Sale, winter coats ,x"},
                              {"surrogate-key", "second"}}};
  for (const char* tag : {"product:42", "front", "sale", "winter coats", "x", "second"})
    CHECK_MESSAGE(hits({.tags = {tag}}, both), tag);
  for (const char* tag : {"product", "winter", "product:4", "page", ""})
    CHECK_FALSE_MESSAGE(hits({.tags = {tag}}, both), tag);
  CHECK_FALSE(hits({.tags = {"x"}}, Facts{}));
  CHECK_FALSE(hits({.tags = {"x"}}, {.fields = {{"cache-tag", "x"}}, .distribution = "blog"}));
}

TEST_CASE("a response with more tags than are kept counts as having every tag") {
  std::string tags;
  for (int i = 0; i < 50; ++i) tags += fmt::format("t{} ", i);
  CHECK_FALSE(hits({.tags = {"other"}}, {.fields = {{"surrogate-key", tags}}}));
  CHECK(hits({.tags = {"t49"}}, {.fields = {{"surrogate-key", tags}}}));
  tags += "t50";
  CHECK(hits({.tags = {"t50"}}, {.fields = {{"surrogate-key", tags}}}));
  CHECK(hits({.tags = {"other"}}, {.fields = {{"surrogate-key", tags}}}));
  const std::string longest(TagSet::kMaxTagOctets, 'a');
  CHECK_FALSE(hits({.tags = {"other"}}, {.fields = {{"cache-tag", longest}}}));
  const std::string too_long = longest + "a";
  CHECK(hits({.tags = {"other"}}, {.fields = {{"cache-tag", too_long}}}));
}

TEST_CASE("of paths and tags any suffices, the other conditions must all hold") {
  const Facts image{.fields = {{"content-type", "Image/WebP; q=1"}, {"cache-tag", "hero"}},
                    .status = 203};
  CHECK(hits({.paths = {"/nothing"}, .tags = {"hero"}}, image));
  CHECK(hits({.paths = {"/page"}, .tags = {"nothing"}}, image));
  CHECK(hits({.content_types = {"image/webp"}}, image));
  CHECK(hits({.content_types = {"text/html", "image/*"}}, image));
  CHECK_FALSE(hits({.content_types = {"image/web"}}, image));
  CHECK_FALSE(hits({.content_types = {"text/*"}}, image));
  CHECK_FALSE(hits({.content_types = {"image/webp"}}, Facts{}));
  CHECK(hits({.statuses = {404, 203}}, image));
  CHECK_FALSE(hits({.statuses = {404}}, image));
  CHECK(hits({.tags = {"hero"}, .content_types = {"image/*"}, .statuses = {203}}, image));
  CHECK_FALSE(hits({.tags = {"hero"}, .content_types = {"image/*"}, .statuses = {200}}, image));
  CHECK_FALSE(hits({.paths = {"/nothing"}, .statuses = {203}}, image));
}

TEST_CASE("stored before, fetched under and behavior look at when and how it was fetched") {
  CHECK(hits({.stored_before = kSomeTime + Duration(1)}, Facts{}));
  CHECK_FALSE(hits({.stored_before = kSomeTime}, Facts{}));
  const Facts fourth{.stamp = {.epoch = 0, .generation = 4}};
  CHECK(hits({.generations = Generations{.exact = {3, 4}, .through = 0}}, fourth));
  CHECK_FALSE(hits({.generations = Generations{.exact = {3, 5}, .through = 0}}, fourth));
  CHECK(hits({.generations = Generations{.exact = {}, .through = 4}}, fourth));
  CHECK_FALSE(hits({.generations = Generations{}}, fourth));
  CHECK(hits({.behavior = "/api/*"}, {.behavior = "/api/*"}));
  CHECK_FALSE(hits({.behavior = "/api/*"}, {.behavior = "*"}));
}

TEST_CASE("a host takes what is stored for it, and what all hosts share") {
  CHECK(hits({.hosts = {"a.test", "b.test"}}, {.host = "b.test"}));
  CHECK_FALSE(hits({.hosts = {"a.test"}}, {.host = "b.test"}));
  CHECK(hits({.hosts = {"a.test"}}, Facts{}));
}

TEST_CASE("what has not come yet is ruled out unless it cannot be selected") {
  const auto ruled_out = [](const PurgeSelect& select, Stamp stamp = {}) {
    PurgeTable table;
    table.add(rule(select));
    return table.check("shop", "/page", stamp) != Purged::No;
  };
  CHECK(ruled_out({.tags = {"x"}}));  // who knows which tags it will have
  CHECK(ruled_out({.statuses = {404}}));
  CHECK(ruled_out({.paths = {"/pa*"}, .content_types = {"image/*"}}));
  CHECK_FALSE(ruled_out({.paths = {"/other"}, .content_types = {"image/*"}}));
  CHECK(ruled_out({.paths = {"/other"}, .tags = {"x"}, .statuses = {200}}));
  CHECK_FALSE(ruled_out({.tags = {"x"}}, {.epoch = 1, .generation = 0}));
  CHECK_FALSE(ruled_out({.generations = Generations{.exact = {3}, .through = 0}},
                        {.epoch = 0, .generation = 4}));
  PurgeTable swept;
  swept.set_epoch(5);
  swept.set_swept_epoch(4);
  CHECK(swept.check("shop", "/page", {.epoch = 3, .generation = 0}) == Purged::Soft);
  CHECK(swept.check("shop", "/page", {.epoch = 4, .generation = 0}) == Purged::No);
}

TEST_CASE("a response is counted once in each rule that selects it, however often it is met") {
  PurgeTable table;
  table.add(rule({.paths = {"/page", "/p*"}}, 2));
  table.add(rule({.tags = {"x"}}, 2, PurgeMode::Delete));
  table.add(rule({.paths = {"/other"}}, 2));
  const auto found = response({.fields = {{"cache-tag", "x"}}});
  for (int i = 0; i < 3; ++i) {
    CHECK(table.check(*found) == Purged::Hard);
    table.count(*found);
  }
  table.count_freed(*found);
  CHECK(table.rules()[0]->count->matched == 1);
  CHECK(table.rules()[1]->count->matched == 1);
  CHECK(table.rules()[2]->count->matched == 0);
  CHECK(table.rules()[0]->count->freed_bytes == 0);
  CHECK(table.rules()[1]->count->freed_bytes == found->memory_bytes());
  PurgeTable next = table;
  next.add(rule({.paths = {"/page"}}, 3));
  next.count(*found);
  CHECK(next.rules()[0]->count->matched == 1);
  CHECK(next.rules()[3]->count->matched == 1);
}

TEST_CASE("globs and rules with conditions are patterns, paths, prefixes and tags are not") {
  CHECK(PurgeTable::patterns_of({.paths = {"/a", "/b*", "/*"}, .tags = {"x"}}) == 0);
  CHECK(PurgeTable::patterns_of({.paths = {"/a*b", "*.jpg", "/c"}}) == 2);
  CHECK(PurgeTable::patterns_of({.paths = {"/a*b", "*.jpg"}, .statuses = {404}}) == 1);
}
