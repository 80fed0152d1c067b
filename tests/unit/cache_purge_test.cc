// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "appliance/cache/purge/table.h"
#include "tests/support/cache_fixture.h"

using headgate::cache::Purged;
using headgate::cache::PurgeMode;
using headgate::cache::PurgeTable;
using headgate::cache::Stamp;
using headgate::test::make_response;
using headgate::test::OwnedKey;

namespace {

constexpr Stamp at_epoch(std::uint64_t epoch) { return {.epoch = epoch, .generation = 0}; }

}  // namespace

TEST_CASE("a rule hits what is older than it, and only that") {
  PurgeTable table;
  table.add("shop", {"/a.jpg"}, PurgeMode::Revalidate, 5);
  CHECK(table.epoch() == 5);
  CHECK(table.check("shop", "/a.jpg", at_epoch(4)) == Purged::Soft);
  CHECK(table.check("shop", "/a.jpg", at_epoch(5)) == Purged::No);
  CHECK(table.check("shop", "/b.jpg", at_epoch(4)) == Purged::No);
  CHECK(table.check("blog", "/a.jpg", at_epoch(4)) == Purged::No);
}

TEST_CASE("exact paths include the query and the case; prefixes end in a star") {
  PurgeTable table;
  table.add("shop", {"/a.jpg", "/api/products*", "/q?x=1"}, PurgeMode::Revalidate, 1);
  const auto hit = [&table](std::string_view path) {
    return table.check("shop", path, at_epoch(0)) != Purged::No;
  };
  CHECK(hit("/a.jpg"));
  CHECK_FALSE(hit("/a.jpg?size=1"));
  CHECK_FALSE(hit("/A.jpg"));
  CHECK(hit("/api/products"));
  CHECK(hit("/api/products?page=2"));
  CHECK(hit("/api/products/7"));
  CHECK_FALSE(hit("/api/product"));
  CHECK(hit("/q?x=1"));
  CHECK_FALSE(hit("/q"));
}

TEST_CASE("\"/*\" and \"*\" hit everything of their distribution") {
  for (const char* all : {"/*", "*"}) {
    PurgeTable table;
    table.add("shop", {all}, PurgeMode::Delete, 3);
    CHECK(table.check("shop", "/", at_epoch(2)) == Purged::Hard);
    CHECK(table.check("shop", "/x/y?z", at_epoch(2)) == Purged::Hard);
    CHECK(table.check("blog", "/", at_epoch(2)) == Purged::No);
  }
}

TEST_CASE("a star stands for any characters wherever it is, and a missing slash is added") {
  PurgeTable table;
  table.add("shop", {"/a/*/b", "*.webp", "c.jpg"}, PurgeMode::Revalidate, 1);
  const auto hit = [&table](std::string_view path) {
    return table.check("shop", path, at_epoch(0)) != Purged::No;
  };
  CHECK(hit("/a/x/b"));
  CHECK(hit("/a/x/y/b"));
  CHECK(hit("/a//b"));
  CHECK_FALSE(hit("/a/b"));
  CHECK_FALSE(hit("/a/x/b/c"));
  CHECK(hit("/img/hero.webp"));
  CHECK_FALSE(hit("/img/hero.webp?size=1"));
  CHECK(hit("/c.jpg"));
}

TEST_CASE("a glob with many stars costs no more than the product of the lengths") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  const std::string text = std::string(4000, 'a');
  CHECK(headgate::cache::glob_matches(pattern + "a", text));
  CHECK_FALSE(headgate::cache::glob_matches(pattern + "b", text));
}

TEST_CASE("of a soft and a hard rule the hard one decides, unless only the soft one is newer") {
  PurgeTable table;
  table.add("shop", {"/a*"}, PurgeMode::Delete, 2);
  table.add("shop", {"/ab"}, PurgeMode::Revalidate, 4);
  CHECK(table.check("shop", "/ab", at_epoch(1)) == Purged::Hard);
  CHECK(table.check("shop", "/ab", at_epoch(3)) == Purged::Soft);
  CHECK(table.check("shop", "/ab", at_epoch(4)) == Purged::No);
}

TEST_CASE("rules that come out of order do not lower the epoch") {
  PurgeTable table;
  table.add("shop", {"/a"}, PurgeMode::Revalidate, 9);
  table.add("shop", {"/a"}, PurgeMode::Revalidate, 3);
  CHECK(table.epoch() == 9);
  CHECK(table.check("shop", "/a", at_epoch(5)) == Purged::Soft);
}

TEST_CASE("a response found valid is not looked up again until something newer is purged") {
  const OwnedKey key("shop", "/a");
  const auto response = make_response(key.key(), {}, "x", at_epoch(1));
  PurgeTable table;
  table.add("shop", {"/b"}, PurgeMode::Revalidate, 4);
  CHECK(response->validated_epoch() == 1);
  CHECK(table.check(*response) == Purged::No);
  CHECK(response->validated_epoch() == 4);
  PurgeTable next = table;
  next.add("shop", {"/a"}, PurgeMode::Revalidate, 5);
  CHECK(next.check(*response) == Purged::Soft);
  CHECK(next.check(*response) == Purged::Soft);  // until it is replaced
  CHECK(response->validated_epoch() == 4);
  CHECK(table.check(*response) == Purged::No);  // the Snapshot before knows nothing of it
}

TEST_CASE("a table that starts from a journal counts nothing as older than its epoch") {
  PurgeTable table;
  table.set_epoch(7);
  CHECK(table.epoch() == 7);
  CHECK(table.check("shop", "/", at_epoch(0)) == Purged::No);
}
