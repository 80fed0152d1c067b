// SPDX-License-Identifier: MIT
// The tier behind the memory: what it brings back, and what it must not.
#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "appliance/cache/purge/sweep.h"
#include "appliance/cache/store/store.h"
#include "appliance/cache/tier/disk_tier.h"
#include "appliance/cache/tier/stored_form.h"
#include "tests/support/cache_fixture.h"
#include "tests/support/scratch.h"
#include "tests/support/test_loop.h"

using namespace headgate;
using namespace headgate::cache;
using test::make_response;
using test::OwnedKey;

namespace {

constexpr std::uint64_t kDisk = std::uint64_t{64} << 20;
constexpr base::MonoTime kNow{std::chrono::hours(5)};

std::string body_of(const StoredResponse& response) {
  std::string octets;
  if (response.body()) response.body()->append_to(octets);
  return octets;
}

/// A process's life: `end` is its end, and another one may begin on the same file.
struct Machine {
  Machine() { begin(); }
  ~Machine() { end(); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void begin(std::uint64_t ledger_id = 1) {
    changes = std::make_unique<UriInvalidations>();
    auto opened = DiskTier::open({.path = folder / "disk",
                                  .size_bytes = kDisk,
                                  .ledger_id = ledger_id,
                                  .log = [](const std::string&) {},
                                  .on_off = [this](const std::string&) { ++offs; }});
    REQUIRE(opened);
    tier = std::move(*opened);
    changes->start_at(tier->first_change());
    tier->start(*changes);
    while (!tier->stats().recovered) std::this_thread::yield();
  }
  void end() { tier.reset(); }
  void restart() {
    end();
    begin();
  }

  /// Returns when it can be found.
  void keep(const std::string& path, std::string_view body, Stamp stamp, http::Fields fields = {},
            http::Fields request = {}) {
    const OwnedKey key("shop", path);
    const std::uint64_t before = tier->stats().log.records;
    tier->offer(key.key(), request, make_response(key.key(), fields, body, stamp));
    while (tier->stats().log.records == before) std::this_thread::yield();
  }
  DiskTier::Found find(const std::string& path, http::Fields request = {}) {
    const OwnedKey key("shop", path);
    std::promise<DiskTier::Found> answer;
    tier->find(key.key(), request, loop,
               [&answer](DiskTier::Found found) { answer.set_value(std::move(found)); });
    return answer.get_future().get();
  }
  Stamp stamp(std::uint64_t epoch) const { return {epoch, 1, changes->count()}; }

  test::ScratchFolder folder;
  test::ThreadLoop loop;
  std::unique_ptr<UriInvalidations> changes;
  std::unique_ptr<DiskTier> tier;
  std::atomic<int> offs{0};
};

PurgeTable deleting(const std::string& path, std::uint64_t epoch) {
  PurgeTable purges;
  purges.add("shop", {path}, PurgeMode::Delete, epoch);
  return purges;
}

}  // namespace

TEST_CASE("a stored response is on the disk as it was, and half of it is nothing") {
  const OwnedKey key("shop", "/page?a=1");
  const test::OwnedFields fields = {{"etag", "\"v1\""}, {"x-empty", ""}, {"cache-tag", "a, b"}};
  Key named = key.key();
  named.host = "shop.test";
  named.behavior = "/page*";
  const auto plain = StoredResponse::make(named, 203, fields, Body::of("content"), Stamp{7, 3, 2},
                                          kNow, kNow, test::kSomeTime, std::chrono::seconds(30));
  const auto response =
      StoredResponse::with_encodings(*plain, {{http::Coding::Gzip, Body::of("zipped")}});
  response->set_validated_epoch(9);
  const std::string value = encode_response(*response, "/page*", 4);

  const Key of_reader{
      .hash = {}, .text = key.text, .distribution = {}, .path = {}, .host = "shop.test"};
  const RunClock same_run{.run = 4, .mono = kNow + std::chrono::seconds(60), .wall = {}};
  const auto back = decode_response(value, of_reader, same_run);
  REQUIRE(back);
  CHECK(back->status() == 203);
  CHECK(body_of(*back) == "content");
  REQUIRE(back->encodings().size() == 1);
  CHECK(back->encodings()[0].coding == http::Coding::Gzip);
  CHECK(back->encodings()[0].body->contiguous() == "zipped");
  CHECK(back->fields().size() == fields.size());
  CHECK(http::find(back->fields(), "etag") == "\"v1\"");
  CHECK(http::find(back->fields(), "x-empty") == "");
  CHECK(back->key_text() == key.text);
  CHECK(back->distribution() == "shop");
  CHECK(back->path() == "/page?a=1");
  CHECK(back->host_label() == label_hash("shop.test"));
  CHECK(back->behavior_label() == label_hash("/page*"));
  CHECK(back->stamp().epoch == 7);
  CHECK(back->stamp().generation == 3);
  CHECK(back->stamp().changes == 2);
  CHECK(back->validated_epoch() == 9);
  CHECK(back->tags().contains(label_hash("b")));
  CHECK(back->current_age(same_run.mono) == std::chrono::seconds(90));
  CHECK(back->came_from_disk());
  CHECK_FALSE(back->claim_disk());
  for (std::size_t length = 0; length < value.size(); ++length)
    CHECK_FALSE(decode_response(value.substr(0, length), of_reader, same_run));
  CHECK_FALSE(decode_response(value + "x", of_reader, same_run));
}

TEST_CASE("across runs a response ages by the wall clock, which must not have gone back") {
  const OwnedKey key("shop", "/page");
  const auto response = make_response(key.key(), {}, "content");
  const std::string value = encode_response(*response, "", 4);
  const auto age_at = [&](base::WallTime wall) {
    const auto back = decode_response(value, key.key(), {.run = 5, .mono = kNow, .wall = wall});
    return back ? back->current_age(kNow) : Duration(-1);
  };
  CHECK(age_at(test::kSomeTime) == Duration::zero());
  CHECK(age_at(test::kSomeTime + std::chrono::hours(30)) == std::chrono::hours(30));
  CHECK(age_at(test::kSomeTime - std::chrono::seconds(1)) == Duration(-1));
}

TEST_CASE("the slices' whole and the names of a variant are told apart") {
  const OwnedKey key("shop", "/film");
  const auto whole = StoredResponse::in_slices(*make_response(key.key(), {}, ""),
                                               {.id = 77, .length = 5'000'000'000});
  const std::string value = encode_response(*whole, "", 1);
  const auto back = decode_response(value, key.key(), {.run = 1, .mono = {}, .wall = {}});
  REQUIRE(back);
  REQUIRE(back->sliced());
  CHECK(back->sliced()->id == 77);
  CHECK(back->sliced()->length == 5'000'000'000);
  CHECK_FALSE(back->body());
  CHECK_FALSE(decode_variants(value));
  const std::string names = encode_variants({"accept-language", "x-kind"});
  CHECK(decode_variants(names) == std::vector<std::string>{"accept-language", "x-kind"});
  CHECK_FALSE(decode_response(names, key.key(), {}));
  CHECK_FALSE(decode_uri(names));
  CHECK(decode_uri(value)->path == "/film");
}

TEST_CASE("what was offered is found in this run and in the next") {
  Machine machine;
  machine.keep("/a", "content", machine.stamp(3));
  CHECK(body_of(*machine.find("/a").response) == "content");
  CHECK_FALSE(machine.find("/b").response);
  machine.restart();
  const auto found = machine.find("/a");
  REQUIRE(found.response);
  CHECK(body_of(*found.response) == "content");
  CHECK(found.response->stamp().epoch == 3);
  CHECK_FALSE(found.changed);
  CHECK(machine.tier->stats().hits == 1);
}

TEST_CASE("a request finds the variant that its own fields select") {
  Machine machine;
  const test::OwnedFields varying = {{"vary", "x-kind"}};
  const test::OwnedFields one = {{"x-kind", "1"}};
  const test::OwnedFields two = {{"x-kind", "2"}};
  machine.keep("/a", "first", machine.stamp(0), varying, one);
  machine.keep("/a", "second", machine.stamp(0), varying, two);
  machine.restart();
  CHECK(body_of(*machine.find("/a", one).response) == "first");
  CHECK(body_of(*machine.find("/a", two).response) == "second");
  CHECK_FALSE(machine.find("/a").response);
}

TEST_CASE("another ledger finds nothing of what was written under this one") {
  Machine machine;
  machine.keep("/a", "content", machine.stamp(0));
  machine.end();
  machine.begin(2);
  CHECK_FALSE(machine.tier->may_have(OwnedKey("shop", "/a").key()));
}

TEST_CASE("a purge's rule stays as long as what it selects is on the disk") {
  Machine machine;
  Store store(kDisk, 1);
  store.set_disk(machine.tier.get());
  FillTable fills;
  const OwnedKey key("shop", "/a");
  store.insert(key.key(), {}, make_response(key.key(), {}, "old", machine.stamp(0)));
  const PurgeTable nothing;
  CHECK(store.find(key.key(), {}, nothing).response);
  while (machine.tier->stats().log.records == 0) std::this_thread::yield();

  const PurgeTable purges = deleting("/a", 1);
  CHECK(sweep(store, fills, purges).rules.empty());
  CHECK(store.stats().objects == 0);  // the memory is swept all the same
  machine.restart();
  const auto found = machine.find("/a");
  REQUIRE(found.response);  // nobody has been through the disk
  CHECK(purges.check(*found.response) == Purged::Hard);
  machine.tier->forget(key.key(), {}, *found.response);

  // Everything else is newer, and takes the old one's region.
  store.set_disk(machine.tier.get());
  const std::string large(500'000, 'x');
  for (int i = 0; i < 150; ++i) machine.keep("/new" + std::to_string(i), large, machine.stamp(1));
  CHECK_FALSE(machine.find("/a").response);
  CHECK(sweep(store, fills, purges).rules.size() == 1);
}

TEST_CASE("what was purged on its way to the disk does not arrive there") {
  Machine machine;
  const OwnedKey key("shop", "/a");
  CHECK(machine.tier->settle(5) == UINT64_MAX);  // nothing is there
  const auto old = make_response(key.key(), {}, "old", machine.stamp(4));
  machine.tier->offer(key.key(), {}, old);
  while (machine.tier->stats().writer.dropped == 0) std::this_thread::yield();
  CHECK_FALSE(old->disk_claimed());
  // What was found valid since is as good as new.
  const auto valid = make_response(key.key(), {}, "valid", machine.stamp(4));
  valid->set_validated_epoch(5);
  machine.tier->offer(key.key(), {}, valid);
  while (machine.tier->stats().log.records == 0) std::this_thread::yield();
  CHECK(machine.tier->settle(5) == 5);
}

TEST_CASE("what an unsafe method has changed is marked for the runs to come") {
  Machine machine;
  machine.keep("/a", "old", machine.stamp(0));
  machine.keep("/b", "other", machine.stamp(0));
  const OwnedKey key("shop", "/a");
  const auto lagging = make_response(key.key(), {}, "lagging", machine.stamp(0));
  machine.changes->invalidate(uri_hash("shop", "/a"));
  machine.tier->note_change("shop", "/a");
  machine.tier->offer(key.key(), {}, lagging);  // older than the change
  while (machine.tier->stats().writer.dropped == 0) std::this_thread::yield();
  machine.restart();
  CHECK(machine.find("/a").changed);
  CHECK_FALSE(machine.find("/b").changed);
  machine.keep("/a", "new", machine.stamp(0));
  CHECK_FALSE(machine.find("/a").changed);
}

TEST_CASE("a version that has come since takes the place of the disk's") {
  Machine machine;
  Store store(kDisk, 1);
  store.set_disk(machine.tier.get());
  const OwnedKey key("shop", "/a");
  machine.keep("/a", "old", machine.stamp(0));
  store.insert(key.key(), {}, make_response(key.key(), {}, "new", machine.stamp(0)));
  CHECK_FALSE(machine.find("/a").response);
  machine.restart();
  CHECK_FALSE(machine.find("/a").response);
}

TEST_CASE("what the disk brings does not take the place of what is newer") {
  Machine machine;
  Store store(kDisk, 1);
  const OwnedKey key("shop", "/a");
  machine.keep("/a", "old", machine.stamp(0));
  const auto old = machine.find("/a").response;
  store.insert(key.key(), {}, make_response(key.key(), {}, "new", machine.stamp(0)));
  store.restore(key.key(), {}, old);
  const PurgeTable nothing;
  CHECK(body_of(*store.find(key.key(), {}, nothing).response) == "new");
  const OwnedKey other("shop", "/b");
  machine.keep("/b", "content", machine.stamp(0));
  store.restore(other.key(), {}, machine.find("/b").response);
  CHECK(store.find(other.key(), {}, nothing).response->came_from_disk());
}

TEST_CASE("what comes again soon after its eviction is on the disk without a second look-up") {
  Machine machine;
  Store store(std::uint64_t{1} << 20, 1);
  store.set_disk(machine.tier.get());
  const std::string body(20'000, 'x');
  const auto put = [&](const std::string& path) {
    const OwnedKey key("shop", path);
    store.insert(key.key(), {}, make_response(key.key(), {}, body, machine.stamp(0)));
  };
  put("/again");
  for (int i = 0; i < 200; ++i) put("/once/" + std::to_string(i));
  const OwnedKey again("shop", "/again");
  REQUIRE_FALSE(store.contains(again.key()));
  CHECK(machine.tier->stats().writer.written == 0);
  // Of those that are remembered: as many as the cache has room for.
  put("/once/180");
  while (machine.tier->stats().log.records == 0) std::this_thread::yield();
  CHECK(machine.find("/once/180").response);
  put("/new");
  machine.end();  // what waits is written first
  machine.begin();
  CHECK_FALSE(machine.find("/new").response);
  store.set_disk(nullptr);
}
