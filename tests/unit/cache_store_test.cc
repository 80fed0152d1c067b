// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "appliance/cache/store/store.h"
#include "tests/support/cache_fixture.h"

using headgate::base::Ref;
using headgate::cache::Body;
using headgate::cache::Purged;
using headgate::cache::PurgeMode;
using headgate::cache::PurgeTable;
using headgate::cache::Store;
using headgate::cache::StoredResponse;
using headgate::http::Fields;
using headgate::test::make_response;
using headgate::test::OwnedFields;
using headgate::test::OwnedKey;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct Shelf {
  explicit Shelf(std::uint64_t budget = 64 * kMiB, unsigned threads = 1) : store(budget, threads) {}

  void put(const std::string& path, std::string_view body, Fields request = {},
           Fields fields = {}) {
    const OwnedKey key("shop", path);
    store.insert(key.key(), request, make_response(key.key(), fields, body));
  }
  Ref<StoredResponse> get(const std::string& path, Fields request = {}) {
    const OwnedKey key("shop", path);
    return store.find(key.key(), request, purges).response;
  }
  std::string body(const std::string& path, Fields request = {}) {
    const auto response = get(path, request);
    return response ? std::string(response->body()->contiguous().value()) : "none";
  }

  Store store;
  PurgeTable purges;
};

const OwnedFields kVaryLanguage = {{"vary", "Accept-Language"}};
const OwnedFields kVaryEncoding = {{"vary", "accept-encoding"}};
const OwnedFields kGerman = {{"accept-language", "de"}, {"accept-encoding", "gzip"}};
const OwnedFields kFrench = {{"accept-language", "fr"}, {"accept-encoding", "gzip"}};

}  // namespace

TEST_CASE("what was stored is found under its key and no other") {
  Shelf shelf;
  shelf.put("/a", "A");
  shelf.put("/b", "B");
  CHECK(shelf.body("/a") == "A");
  CHECK(shelf.body("/b") == "B");
  CHECK(shelf.body("/c") == "none");
  CHECK(shelf.store.stats().objects == 2);
}

TEST_CASE("equal hashes are not equal keys") {
  Shelf shelf;
  OwnedKey a("shop", "/a");
  OwnedKey b("shop", "/b");
  auto colliding = b.key();
  colliding.hash = a.key().hash;
  shelf.store.insert(a.key(), {}, make_response(a.key(), {}, "A"));
  CHECK_FALSE(shelf.store.find(colliding, {}, shelf.purges).response);
  shelf.store.insert(colliding, {}, make_response(colliding, {}, "B"));
  CHECK(shelf.store.find(colliding, {}, shelf.purges).response->key_text() == "shop /b");
  CHECK(shelf.body("/a") == "A");
}

TEST_CASE("a new response replaces the old one, whose readers keep it") {
  Shelf shelf;
  shelf.put("/a", "old");
  const auto held = shelf.get("/a");
  shelf.put("/a", "new");
  CHECK(shelf.body("/a") == "new");
  CHECK(held->body()->contiguous() == "old");
  CHECK(shelf.store.stats().objects == 1);
  CHECK(shelf.store.stats().pinned_bytes > 0);
}

TEST_CASE("variants are told apart by the request fields that Vary names") {
  Shelf shelf;
  shelf.put("/a", "Hallo", kGerman, kVaryLanguage);
  shelf.put("/a", "Salut", kFrench, kVaryLanguage);
  CHECK(shelf.body("/a", kGerman) == "Hallo");
  CHECK(shelf.body("/a", kFrench) == "Salut");
  CHECK(shelf.body("/a") == "none");  // absent matches absent only
  shelf.put("/a", "Guten Tag", kGerman, kVaryLanguage);
  CHECK(shelf.body("/a", kGerman) == "Guten Tag");
  CHECK(shelf.body("/a", kFrench) == "Salut");
  CHECK(shelf.store.stats().objects == 2);
}

TEST_CASE("of several variants that match the newest is found, and replaced") {
  Shelf shelf;
  shelf.put("/a", "by language", kGerman, kVaryLanguage);
  shelf.put("/a", "by encoding", kFrench, kVaryEncoding);
  CHECK(shelf.body("/a", kGerman) == "by encoding");
  shelf.put("/a", "for all", kGerman);
  CHECK(shelf.body("/a", kGerman) == "for all");
  CHECK(shelf.body("/a", kFrench) == "for all");
  CHECK(shelf.store.stats().objects == 1);
}

TEST_CASE("a key keeps 64 variants, the newest ones") {
  Shelf shelf;
  std::vector<std::string> values;
  for (int i = 0; i < 70; ++i) values.push_back("l" + std::to_string(i));
  for (const std::string& value : values) {
    const OwnedFields request = {{"accept-language", value}};
    shelf.put("/a", value, request, kVaryLanguage);
  }
  CHECK(shelf.store.stats().objects == Store::kMaxVariants);
  CHECK(shelf.body("/a", OwnedFields{{"accept-language", "l5"}}) == "none");
  CHECK(shelf.body("/a", OwnedFields{{"accept-language", "l6"}}) == "l6");
  CHECK(shelf.body("/a", OwnedFields{{"accept-language", "l69"}}) == "l69");
}

TEST_CASE("Vary: * is never stored, nor is a body that is not whole") {
  Shelf shelf;
  shelf.put("/a", "A", {}, OwnedFields{{"vary", "*"}});
  CHECK(shelf.body("/a") == "none");
  const OwnedKey key("shop", "/b");
  for (const bool fails : {true, false}) {
    auto body = headgate::base::make_ref<Body>(Body::Keep::All);
    static_cast<void>(body->append("part"));
    if (fails) body->fail();
    shelf.store.insert(
        key.key(), {},
        StoredResponse::make(key.key(), 200, Fields(), body, headgate::cache::Stamp(),
                             headgate::base::MonoTime(), headgate::base::MonoTime(),
                             headgate::test::kSomeTime, headgate::Duration()));
    CHECK(shelf.body("/b") == "none");
  }
  CHECK(shelf.store.stats().rejected == 3);
}

TEST_CASE("fields that private and no-cache name are not stored") {
  Shelf shelf;
  const OwnedKey key("shop", "/a");
  const OwnedFields fields = {
      {"cache-control", "max-age=60, no-cache=\"Set-Cookie\", private=\"x-a\""},
      {"set-cookie", "session=1"},
      {"x-a", "1"},
      {"x-b", "2"}};
  const auto response = make_response(key.key(), fields, "A");
  shelf.store.insert(key.key(), {}, response);
  const auto stored = shelf.get("/a");
  REQUIRE(stored);
  CHECK_FALSE(headgate::http::find(stored->fields(), "set-cookie"));
  CHECK_FALSE(headgate::http::find(stored->fields(), "x-a"));
  CHECK(headgate::http::find(stored->fields(), "x-b") == "2");
  CHECK(stored->body()->is(*response->body()));
  CHECK(headgate::http::find(response->fields(), "set-cookie"));  // its first reader gets it
}

TEST_CASE("what a refused response would have replaced goes all the same") {
  Shelf shelf;
  shelf.put("/a", "old");
  shelf.put("/a", std::string(shelf.store.max_object_bytes() + 1, 'x'));
  CHECK(shelf.body("/a") == "none");
  CHECK(shelf.store.stats().objects == 0);
  CHECK(shelf.store.stats().resident_bytes == 0);
}

TEST_CASE("a soft purge is reported with the response, a hard one removes it") {
  Shelf shelf;
  shelf.put("/soft", "S");
  shelf.put("/hard", "H");
  shelf.purges.add("shop", {"/soft"}, PurgeMode::Revalidate, 1);
  shelf.purges.add("shop", {"/hard"}, PurgeMode::Delete, 1);
  const OwnedKey soft("shop", "/soft");
  const auto found = shelf.store.find(soft.key(), {}, shelf.purges);
  CHECK(found.purged == Purged::Soft);
  CHECK(found.response);
  const OwnedKey hard("shop", "/hard");
  const auto gone = shelf.store.find(hard.key(), {}, shelf.purges);
  CHECK(gone.purged == Purged::Hard);
  CHECK_FALSE(gone.response);
  CHECK(shelf.store.stats().objects == 1);
}

TEST_CASE("resident and index never exceed the budget, and what was used twice outlives a scan") {
  Shelf shelf(4 * kMiB);
  for (int i = 0; i < 20; ++i) shelf.put("/hot" + std::to_string(i), std::string(2000, 'h'));
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 20; ++i) shelf.get("/hot" + std::to_string(i));
  for (int i = 0; i < 20'000; ++i) {
    shelf.put("/scan" + std::to_string(i), std::string(1000, 's'));
    const auto stats = shelf.store.stats();
    REQUIRE(stats.resident_bytes + stats.index_bytes <= stats.budget_bytes);
  }
  CHECK(shelf.store.stats().evictions > 10'000);
  for (int i = 0; i < 20; ++i) CHECK(shelf.body("/hot" + std::to_string(i)) != "none");
}

TEST_CASE("small and large responses share one budget over all shards") {
  Shelf shelf(1024 * kMiB, 4);  // 16 shards
  const std::string large(30 * kMiB, 'L');
  for (int i = 0; i < 100; ++i) {
    shelf.put("/large" + std::to_string(i), large);
    for (int j = 0; j < 10; ++j)
      shelf.put("/small" + std::to_string(i) + "." + std::to_string(j), "s");
    const auto stats = shelf.store.stats();
    REQUIRE(stats.resident_bytes + stats.index_bytes <= stats.budget_bytes);
    REQUIRE(shelf.get("/large" + std::to_string(i)));
  }
  CHECK(shelf.store.stats().rejected == 0);
  CHECK(shelf.store.stats().resident_bytes > 800 * kMiB);
}

TEST_CASE("while slow readers pin a quarter of the budget nothing more is admitted") {
  Shelf shelf(64 * kMiB);
  std::vector<Ref<StoredResponse>> readers;
  const std::string body(3 * kMiB, 'x');
  for (int i = 0; i < 6; ++i) {
    CHECK(shelf.store.accepts_fills());
    shelf.put("/a", body);
    readers.push_back(shelf.get("/a"));
  }
  CHECK(shelf.store.accepts_fills());  // five are pinned, the sixth is resident
  shelf.put("/a", "small");
  CHECK_FALSE(shelf.store.accepts_fills());
  const auto rejected = shelf.store.stats().rejected;
  shelf.put("/b", "small");
  CHECK(shelf.body("/b") == "none");
  CHECK(shelf.store.stats().rejected == rejected + 1);
  readers.pop_back();
  CHECK(shelf.store.accepts_fills());
  shelf.put("/b", "small");
  CHECK(shelf.body("/b") == "small");
  readers.clear();
  CHECK(shelf.store.stats().pinned_bytes == 0);
}

TEST_CASE("a body shared with its refreshed response is counted once") {
  Shelf shelf;
  const OwnedKey key("shop", "/a");
  shelf.put("/a", std::string(kMiB, 'x'));
  const auto old = shelf.get("/a");
  shelf.store.insert(
      key.key(), {},
      StoredResponse::refreshed(*old, {}, {}, {}, {}, headgate::test::kSomeTime, {}));
  CHECK(shelf.store.stats().pinned_bytes < 10'000);  // the old head only
  CHECK(shelf.store.stats().resident_bytes < 2 * kMiB);
}

TEST_CASE("responses outlive the store that they were found in") {
  Ref<StoredResponse> response;
  {
    Shelf shelf;
    shelf.put("/a", "A");
    response = shelf.get("/a");
  }
  CHECK(response->body()->contiguous() == "A");
}

TEST_CASE("a budget too small for anything rejects and does not loop") {
  Shelf shelf(100);
  shelf.put("/a", "A");
  CHECK(shelf.body("/a") == "none");
  CHECK(shelf.store.stats().rejected == 1);
}

TEST_CASE("a small response costs at most 900 octets beyond its body") {
  Shelf shelf(64 * kMiB);
  const std::string body(1024, 'x');
  const OwnedFields fields = {{"content-type", "text/html"},
                              {"cache-control", "max-age=3600"},
                              {"etag", "\"0123456789abcdef\""}};
  for (int i = 0; i < 10'000; ++i)
    shelf.put("/products/" + std::to_string(i) + ".html", body, {}, fields);
  const auto stats = shelf.store.stats();
  REQUIRE(stats.objects == 10'000);
  CHECK((stats.resident_bytes + stats.index_bytes) / stats.objects <= 1024 + 900);
}
