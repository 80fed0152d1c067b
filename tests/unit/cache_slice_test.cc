// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "appliance/cache/fill/slice_fill.h"
#include "appliance/cache/purge/sweep.h"
#include "appliance/cache/slice.h"
#include "appliance/cache/store/store.h"
#include "appliance/cache/tier/stored_form.h"
#include "tests/support/cache_fixture.h"

using headgate::base::MonoTime;
using headgate::base::Ref;
using headgate::cache::Body;
using headgate::cache::FillTable;
using headgate::cache::kSliceBytes;
using headgate::cache::Purged;
using headgate::cache::PurgeMode;
using headgate::cache::PurgeTable;
using headgate::cache::slice_range;
using headgate::cache::Sliced;
using headgate::cache::SliceKey;
using headgate::cache::Stamp;
using headgate::cache::Store;
using headgate::cache::StoredResponse;
using headgate::test::kSomeTime;
using headgate::test::make_response;
using headgate::test::OwnedFields;
using headgate::test::OwnedKey;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
const OwnedFields kFields = {{"vary", "accept-language"}, {"cache-tag", "film"}, {"etag", "\"1\""}};

struct Shelf {
  Ref<StoredResponse> put_whole(std::uint64_t id, Stamp stamp = {}) {
    auto whole = StoredResponse::in_slices(*make_response(key.key(), kFields, "", stamp),
                                           {.id = id, .length = 3 * kSliceBytes});
    store.insert(key.key(), {}, whole);
    return whole;
  }
  void put_slice(const StoredResponse& whole, std::uint64_t index, std::string_view octets,
                 Stamp stamp = {}) {
    const SliceKey slice(whole, index);
    store.insert(
        slice.key(), {},
        StoredResponse::slice(whole, slice.key(), Body::of(octets), stamp, MonoTime(), kSomeTime));
  }
  std::string slice(const StoredResponse& whole, std::uint64_t index) {
    const auto found = store.find_slice(SliceKey(whole, index).key());
    return found ? std::string(found->body()->contiguous().value()) : "none";
  }
  Ref<StoredResponse> whole() { return store.find(key.key(), {}, purges).response; }

  const OwnedKey key{"shop", "/film"};
  Store store{64 * kMiB, 1};
  PurgeTable purges;
};

}  // namespace

TEST_CASE("a slice knows of how much it is one, in the store and from the disk") {
  Shelf shelf;
  const auto whole = shelf.put_whole(7);
  shelf.put_slice(*whole, 0, "zero");
  const SliceKey key(*whole, 0);
  const auto found = shelf.store.find_slice(key.key());
  REQUIRE(found);
  const auto back =
      headgate::cache::decode_response(headgate::cache::encode_response(*found, "", 1), key.key(),
                                       {.run = 1, .mono = MonoTime(), .wall = kSomeTime});
  REQUIRE(back);
  for (const auto& slice : {found, back}) {
    CHECK(slice->is_slice());
    CHECK_FALSE(slice->sliced());
    REQUIRE(slice->slice_of());
    CHECK(slice->slice_of()->id == 7);
    CHECK(slice->slice_of()->length == 3 * kSliceBytes);
    CHECK(slice->body()->contiguous() == "zero");
  }
  CHECK_FALSE(whole->slice_of());
  CHECK_FALSE(make_response(shelf.key.key(), {}, "")->slice_of());
}

TEST_CASE("a slice of a whole that is stored is of its host and behavior") {
  Shelf shelf;
  headgate::cache::Key key = shelf.key.key();
  key.host = "www.example.com";
  key.behavior = "/films/*";
  // The first ones have these themselves, the others share them.
  for (std::uint64_t id = 1; id < 9; ++id) {
    shelf.store.insert(key, {},
                       StoredResponse::in_slices(*make_response(key, {}, ""),
                                                 {.id = id, .length = 3 * kSliceBytes}));
    const auto whole = shelf.store.find(key, {}, shelf.purges).response;
    const SliceKey slice(*whole, 0);
    const auto made =
        StoredResponse::slice(*whole, slice.key(), Body::of("zero"), {}, MonoTime(), kSomeTime);
    CHECK(made->host_label() == headgate::cache::label_hash("www.example.com"));
    CHECK(made->behavior_label() == headgate::cache::label_hash("/films/*"));
    shelf.store.insert(slice.key(), {}, made);
    const auto stored = shelf.store.find_slice(slice.key());
    CHECK(stored->host_label() == made->host_label());
    CHECK(stored->behavior_label() == made->behavior_label());
    CHECK(stored->distribution() == "shop");
    CHECK(stored->path() == "/film");
  }
}

TEST_CASE("GDSF keeps a slice for as long as it would the whole, not for what it is") {
  for (const bool of_much : {true, false}) {
    const OwnedKey film("shop", "/film");
    Store store(64 * kMiB, 1, headgate::cache::Policy::Kind::Gdsf);
    const auto whole = StoredResponse::in_slices(
        *make_response(film.key(), {}, ""), {.id = 1, .length = of_much ? 1000 * kMiB : kMiB / 8});
    const SliceKey slice(*whole, 0);
    const std::string octets(kMiB / 8, 'x');
    store.insert(
        slice.key(), {},
        StoredResponse::slice(*whole, slice.key(), Body::of(octets), {}, MonoTime(), kSomeTime));
    // Others that are larger than the slice, and smaller than the whole.
    const std::string other(kMiB / 2, 'x');
    for (int i = 0; i < 140; ++i) {
      const OwnedKey key("shop", "/" + std::to_string(i));
      store.insert(key.key(), {}, make_response(key.key(), {}, other));
    }
    CHECK(store.stats().evictions > 0);
    CHECK(store.contains(slice.key()) == !of_much);
  }
}

TEST_CASE("slices cover the whole, and the last one ends with it") {
  const Sliced sliced{.id = 1, .length = 2 * kSliceBytes + 5};
  CHECK(slice_range(sliced, 0).first == 0);
  CHECK(slice_range(sliced, 0).end == kSliceBytes);
  CHECK(slice_range(sliced, 2).first == 2 * kSliceBytes);
  CHECK(slice_range(sliced, 2).end == 2 * kSliceBytes + 5);
}

TEST_CASE("slices of two versions, or of two places in one, never meet") {
  Shelf shelf;
  const auto one = shelf.put_whole(1);
  shelf.put_slice(*one, 0, "one 0");
  shelf.put_slice(*one, 1, "one 1");
  const auto two = shelf.put_whole(2);
  CHECK(shelf.slice(*one, 0) == "one 0");
  CHECK(shelf.slice(*one, 1) == "one 1");
  CHECK(shelf.slice(*two, 0) == "none");
  CHECK_FALSE(one->has_content_of(*two));
}

TEST_CASE("a whole that was confirmed has the slices it had") {
  Shelf shelf;
  const auto old = shelf.put_whole(7);
  shelf.put_slice(*old, 0, "zero");
  const auto confirmed =
      StoredResponse::refreshed(*old, OwnedFields{{"cache-control", "max-age=60"}}, Stamp{},
                                MonoTime(), MonoTime(), kSomeTime, headgate::Duration::zero());
  REQUIRE(confirmed->sliced());
  CHECK(confirmed->sliced()->length == 3 * kSliceBytes);
  CHECK(confirmed->has_content_of(*old));
  CHECK(shelf.slice(*confirmed, 0) == "zero");
}

TEST_CASE("a slice has no variants: its key names one of one") {
  Shelf shelf;
  const auto whole = shelf.put_whole(1);
  shelf.put_slice(*whole, 0, "zero");
  // Found without the fields that selected the whole.
  CHECK(shelf.slice(*whole, 0) == "zero");
  CHECK(shelf.store.contains(SliceKey(*whole, 0).key()));
  CHECK_FALSE(shelf.store.contains(SliceKey(*whole, 1).key()));
}

TEST_CASE("what cannot be completed is removed by its id alone, whatever has confirmed it since") {
  Shelf shelf;
  shelf.put_whole(1);
  shelf.store.remove_sliced(shelf.key.key(), 2);
  CHECK(shelf.whole());
  shelf.store.remove_sliced(shelf.key.key(), 1);
  CHECK_FALSE(shelf.whole());
}

TEST_CASE("a whole that is being read outlives what has pushed out its slices") {
  for (const bool used : {true, false}) {
    CAPTURE(used);
    Shelf shelf;
    const auto whole = shelf.put_whole(1);
    const std::string octets(kSliceBytes, 'x');
    for (std::uint64_t index = 0; index < 200; ++index) {
      if (used) shelf.store.use_sliced(shelf.key.key(), 1);
      shelf.put_slice(*whole, index, octets);
    }
    CHECK(bool(shelf.whole()) == used);
  }
}

TEST_CASE("a purge of the whole frees its slices, and counts one response") {
  Shelf shelf;
  const auto whole = shelf.put_whole(1);
  for (std::uint64_t index = 0; index < 3; ++index) shelf.put_slice(*whole, index, "slice");
  const auto before = shelf.store.stats().objects;
  const headgate::cache::PurgeRule* rule = nullptr;
  SUBCASE("by path") {
    shelf.purges.add("shop", {"/film"}, PurgeMode::Delete, 1);
    rule = shelf.purges.rules().front().get();
  }
  SUBCASE("by tag") {
    headgate::cache::PurgeRule by_tag;
    by_tag.id = "tagged";
    by_tag.distribution = "shop";
    by_tag.select.tags = {"film"};
    by_tag.mode = PurgeMode::Delete;
    by_tag.epoch = 1;
    shelf.purges.add(std::move(by_tag));
    rule = shelf.purges.rules().front().get();
  }
  headgate::cache::sweep(shelf.store, FillTable(), shelf.purges);
  CHECK(before == 4);
  CHECK(shelf.store.stats().objects == 0);
  CHECK(rule->count->matched == 1);
}

TEST_CASE("what comes in counts before it can be found") {
  Store store(64 * kMiB, 1);
  Store::Incoming one(store);
  one.set(20 * kMiB);
  CHECK(store.accepts_fills());
  {
    Store::Incoming other(store);
    other.set(13 * kMiB);
    CHECK_FALSE(store.accepts_fills());
    CHECK(store.stats().incoming_bytes == 33 * kMiB);
  }
  CHECK(store.accepts_fills());
  one = {};
  CHECK(store.stats().incoming_bytes == 0);
}

TEST_CASE("a cache without room for slices says so") {
  CHECK_FALSE(Store(16 * kMiB, 1).sliced_above());
  CHECK(Store(64 * kMiB, 1).sliced_above() == 4 * kMiB);
  CHECK(Store(4096 * kMiB, 1).sliced_above() == 32 * kMiB);
}

TEST_CASE("a slice is fetched once: also by who looked before it was stored, and joins after") {
  Shelf shelf;
  headgate::cache::UriInvalidations changes;
  FillTable fills;
  const auto whole = shelf.put_whole(7);
  const SliceKey slice(*whole, 2);
  const auto join = [&] {
    return headgate::cache::join_slice(shelf.store, fills, slice.key(), shelf.purges, changes, 1,
                                       MonoTime());
  };
  auto leader = join();
  REQUIRE(leader.role == FillTable::Role::Leader);

  REQUIRE(shelf.slice(*whole, 2) == "none");  // the late one looks; now the fetch stores and ends
  leader.fill->respond(make_response(slice.key(), {}, "octets"), true);
  shelf.put_slice(*whole, 2, "octets");
  fills.finish(*leader.fill);

  const auto late = join();
  REQUIRE(late.role == FillTable::Role::Follower);
  CHECK(late.fill.get() != leader.fill.get());
  REQUIRE(late.fill->state() == headgate::cache::Fill::State::Shared);
  CHECK(late.fill->response()->body()->contiguous() == "octets");
  CHECK(fills.size() == 0);  // nobody has to end it
}
