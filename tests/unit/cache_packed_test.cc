// SPDX-License-Identifier: MIT
// How a stored response lies in memory: fields, record and body in one block.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "appliance/cache/packed/fields.h"
#include "appliance/cache/packed/head_record.h"
#include "appliance/cache/response.h"
#include "appliance/cache/store/store.h"
#include "tests/support/cache_fixture.h"
#include "tests/support/test_loop.h"

namespace headgate::cache {
namespace {

using test::make_response;
using test::OwnedFields;
using test::OwnedKey;

void check_same(http::Fields one, http::Fields other) {
  REQUIRE(one.size() == other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].name == other[i].name);
    CHECK(one[i].value == other[i].value);
  }
}

TEST_CASE("fields are as they were, known names and others, few and many") {
  const std::string long_name(300, 'n');
  const std::string long_value(70'000, 'v');
  OwnedFields fields = {
      {"accept-ch", "1"},    {"content-type", "text/html"}, {"x-own", ""},    {"set-cookie", "a=1"},
      {"set-cookie", "b=2"}, {"x-xss-protection", "0"},     {long_name, "x"}, {"etag", long_value}};
  const std::string some = pack(fields, nullptr);
  check_same(FieldList(some, nullptr), fields);
  CHECK(FieldList(pack({}, nullptr), nullptr).empty());
  for (const std::size_t count : {FieldList::kFew, FieldList::kFew + 1, std::size_t{200}}) {
    while (fields.size() < count) fields.push_back({"x-more", "value"});
    fields.resize(count);
    const std::string octets = pack(fields, nullptr);
    check_same(FieldList(octets, nullptr), fields);
  }
}

TEST_CASE("a common field takes less than it does on the wire") {
  const OwnedFields one = {{"content-type", "text/html"}};
  CHECK(pack(one, nullptr).size() == 1 + 1 + 9);
}

TEST_CASE("a record is as it was, at both ends of its numbers") {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{127}, UINT64_MAX}) {
    HeadRecord record;
    record.texts = {.key = {.size = number}, .all = number, .fields = number};
    record.changes = record.epoch = record.generation = number;
    record.distribution_at = record.distribution_size = number;
    record.path_at = record.path_size = number;
    record.wall_drift = static_cast<std::int64_t>(number);
    record.initial_age = Duration(static_cast<Duration::rep>(number >> 1));
    record.host_label = record.behavior_label = number;
    record.sliced_id = record.sliced_length = number;
    record.is_sliced = number != 0;
    record.directives.must_revalidate = record.directives.is_public = number != 0;
    if (number != 0) record.directives.stale_if_error = std::chrono::hours(24 * 365 * 1000);
    record.directives.heuristic_lifetime = Duration(1999);
    record.directives.stale_while_revalidate = Duration(-1);

    char octets[kMaxHeadRecord];
    CHECK(put_record(record, octets) <= octets + sizeof octets);
    const HeadRecord back = get_record(octets);
    CHECK(back.texts.key.size == number);
    CHECK(back.texts.all == number);
    CHECK(back.texts.fields == number);
    CHECK(get_texts(octets).fields == number);
    CHECK(get_directives(octets).is_public == (number != 0));
    CHECK(get_changes(octets) == number);
    CHECK(back.changes == number);
    CHECK(back.epoch == number);
    CHECK(back.generation == number);
    CHECK(back.distribution_at == number);
    CHECK(back.distribution_size == number);
    CHECK(back.path_at == number);
    CHECK(back.path_size == number);
    CHECK(back.wall_drift == record.wall_drift);
    CHECK(back.initial_age == record.initial_age);
    CHECK(back.host_label == number);
    CHECK(back.behavior_label == number);
    CHECK(back.is_sliced == (number != 0));
    CHECK(back.sliced_id == number);
    CHECK(back.sliced_length == number);
    CHECK(back.directives.must_revalidate == (number != 0));
    CHECK(back.directives.is_public == (number != 0));
    CHECK_FALSE(back.directives.no_store);
    CHECK_FALSE(back.directives.explicit_lifetime);
    CHECK(back.directives.stale_if_error == record.directives.stale_if_error);
    CHECK(back.directives.heuristic_lifetime == std::chrono::seconds(1));       // rounded down
    CHECK(back.directives.stale_while_revalidate == std::chrono::seconds(-1));  // never up
  }
}

TEST_CASE("a record with a scope leaves out what that has") {
  HeadRecord record;
  record.texts = {.key = {.scope = 700, .size = 12}, .all = 12, .fields = 30};
  record.path_size = 10;
  record.path_at = record.distribution_at = record.host_label = record.behavior_label = 5;
  record.sliced_id = 7;
  record.sliced_length = 8;
  record.is_sliced = true;
  char octets[kMaxHeadRecord];
  const auto size = put_record(record, octets) - octets;
  CHECK(get_texts(octets).key.scope == 700);
  const HeadRecord back = get_record(octets);
  CHECK(back.texts.key.scope == 700);
  CHECK(back.texts.key.size == 12);
  CHECK(get_texts(octets).key.size == 12);
  CHECK(back.path_size == 10);
  CHECK(back.path_at == 0);
  CHECK(back.host_label == 0);
  CHECK(back.sliced_id == 7);
  CHECK(back.sliced_length == 8);
  record.texts.key.scope = SharedTexts::kNone;
  CHECK(put_record(record, octets) - octets == size - 2 + 3 + 8 + 8);
}

TEST_CASE("what invalidations select by is kept, part of the key or not, shared or not") {
  const OwnedFields fields = {{"cache-tag", "one,two"}, {"content-type", "text/html"}};
  const std::string text = "shop\nGET\nhost\n/a?b";
  const Key within{.hash = base::hash128(text),
                   .text = text,
                   .distribution = "shop",
                   .path = "/a?b",
                   .host = "www.example.com",
                   .behavior = "/a*"};
  Key beside = within;
  beside.distribution = "another";
  beside.path = "/elsewhere";
  const auto commons = base::make_ref<Commons>(std::uint64_t{64} << 20);
  std::vector<base::Ref<StoredResponse>> kept;
  for (const Key& key : {within, beside})
    for (int i = 0; i < 8; ++i) {
      kept.push_back(
          StoredResponse::stored_form(*make_response(key, fields, "octets", {5, 6, 7}), commons));
      const auto& response = kept.back();
      CHECK(response->key_text() == text);
      CHECK(response->has_key(text));
      CHECK_FALSE(response->has_key(text + "c"));
      CHECK_FALSE(response->has_key("Shop\nGET\nhost\n/a?b"));
      CHECK_FALSE(response->has_key("shop\nGET\nhost\n/a?c"));
      CHECK(response->has_key_of(*kept.front()));
      CHECK(kept.front()->has_key_of(*response));
      CHECK(response->distribution() == key.distribution);
      CHECK(response->path() == key.path);
      CHECK(response->host_label() == label_hash("www.example.com"));
      CHECK(response->behavior_label() == label_hash("/a*"));
      CHECK(response->tags().contains(label_hash("two")));
      CHECK_FALSE(response->tags().contains(label_hash("three")));
      CHECK(response->stamp().epoch == 5);
      CHECK(response->stamp().generation == 6);
      CHECK(response->stamp().changes == 7);
      CHECK(response->received_wall() == test::kSomeTime);
      CHECK(response->received_at() == base::MonoTime());
      check_same(response->fields(), fields);
    }
  CHECK(commons->texts.size() == 3);  // the scope of `within`, both fields
  const auto another = StoredResponse::refreshed(*kept[7], {}, {}, {}, {}, test::kSomeTime, {});
  CHECK(kept[7]->memory_bytes() < kept[0]->memory_bytes());
  CHECK(another->key_text() == text);
  check_same(another->fields(), fields);
  kept.clear();
  CHECK(commons->texts.size() == 3);
  check_same(another->fields(), fields);
}

TEST_CASE("the stored form is the same response, with what was noted on it") {
  const OwnedKey key("shop", "/a");
  const auto response = make_response(key.key(), {}, "octets", {.epoch = 5});
  response->set_outdated();
  response->set_validated_epoch(9);
  CHECK(response->raise_counted_epoch(8) == 5);
  CHECK(response->claim_disk());
  const auto stored = StoredResponse::stored_form(*response, {});
  CHECK(stored->outdated());
  CHECK(stored->validated_epoch() == 9);
  CHECK(stored->raise_counted_epoch(7) == 8);
  CHECK(stored->disk_claimed());
  CHECK(stored->claim_encoding());
  CHECK(stored->has_content_of(*response));
  CHECK(stored->body().get() != response->body().get());
  CHECK_FALSE(stored->has_content_of(*make_response(key.key(), {}, "octets")));
}

TEST_CASE("a body in its response's block outlives it, and is read as any other") {
  const OwnedKey key("shop", "/a");
  auto stored = StoredResponse::stored_form(*make_response(key.key(), {}, "0123456789"), {});
  const auto body = stored->body();
  CHECK(body->memory_bytes() == stored->memory_bytes());
  stored.reset();
  CHECK(body->complete());
  CHECK_FALSE(body->failed());
  CHECK(body->storable());
  CHECK(body->contiguous() == "0123456789");
  CHECK(body->expected_length() == 10);
  std::string all;
  body->append_to(all);
  CHECK(all == "0123456789");

  test::ManualLoop loop;
  BodyReader reader(
      body, loop, [] {}, 2, 9);
  std::vector<std::string_view> slices;
  bool last = false;
  CHECK(reader.read(4, 1, slices, last) == BodyReader::Status::Data);
  CHECK_FALSE(last);
  CHECK(reader.read(100, 1, slices, last) == BodyReader::Status::Data);
  CHECK(last);
  CHECK(slices == std::vector<std::string_view>{"2345", "678"});
  CHECK(reader.read(100, 1, slices, last) == BodyReader::Status::End);
  CHECK(reader.keeper().get() == body.get());
}

TEST_CASE("what outlives its place counts as pinned until the body has gone") {
  const OwnedKey key("shop", "/a");
  Store store(std::uint64_t{1} << 20, 1);
  store.insert(key.key(), {}, make_response(key.key(), {}, std::string(1000, 'x')));
  const std::uint64_t bytes = store.stats().resident_bytes;
  CHECK(store.stats().pinned_bytes == 0);
  PurgeTable purges;
  auto body = store.find(key.key(), {}, purges).response->body();
  purges.add("shop", {"/a"}, PurgeMode::Delete, 1);
  CHECK_FALSE(store.find(key.key(), {}, purges).response);
  CHECK(store.stats().resident_bytes == 0);
  CHECK(store.stats().pinned_bytes == bytes);
  body.reset();
  CHECK(store.stats().pinned_bytes == 0);
}

TEST_CASE("a response after a 304 does not keep the one before alive once it is stored") {
  const OwnedKey key("shop", "/a");
  Store store(std::uint64_t{1} << 20, 1);
  const PurgeTable purges;
  store.insert(key.key(), {}, make_response(key.key(), {}, std::string(1000, 'x')));
  const std::uint64_t bytes = store.stats().resident_bytes;
  {
    const auto old = store.find(key.key(), {}, purges).response;
    store.insert(key.key(), {},
                 StoredResponse::refreshed(*old, {}, {}, {}, {}, test::kSomeTime, {}));
    const auto now = store.find(key.key(), {}, purges).response;
    CHECK(now.get() != old.get());
    CHECK(now->has_content_of(*old));
  }
  CHECK(store.stats().resident_bytes == bytes);
  CHECK(store.stats().pinned_bytes == 0);
}

/// What a response of 1 KiB costs beyond body and fields as sent, the first one of its server and
/// one of many.
std::pair<std::int64_t, std::int64_t> beyond(http::Fields fields) {
  std::size_t payload = 1024;
  for (const http::Field& field : fields) payload += field.name.size() + field.value.size() + 4;
  const auto costs = [payload](const StoredResponse& response) {
    return static_cast<std::int64_t>(response.memory_bytes()) - static_cast<std::int64_t>(payload);
  };
  const auto commons = base::make_ref<Commons>(std::uint64_t{64} << 20);
  std::vector<base::Ref<StoredResponse>> kept;
  for (int i = 0; i < 10; ++i) {
    const std::string path = "/products/0000123" + std::to_string(i) + ".html";
    const std::string text = "shop\nGET\nwww.example.com\n" + path;
    const Key key{.hash = base::hash128(text), .text = text, .distribution = "shop", .path = path};
    const auto response = StoredResponse::make(key, 200, fields, Body::of(std::string(1024, 'x')),
                                               {}, {}, base::mono_now(), base::wall_now(), {});
    kept.push_back(StoredResponse::stored_form(*response, commons));
  }
  return {costs(*kept.front()), costs(*kept.back())};
}

TEST_CASE("a small response costs little beyond its octets and fields, be these many or few") {
  const OwnedFields few = {{"content-type", "text/html"},
                           {"cache-control", "max-age=3600"},
                           {"etag", "\"66f2a8b1-400\""}};
  OwnedFields many = few;
  many.insert(many.end(), {{"date", "Tue, 24 Sep 2024 11:55:29 GMT"},
                           {"content-length", "1024"},
                           {"last-modified", "Tue, 24 Sep 2024 11:55:29 GMT"},
                           {"accept-ranges", "bytes"},
                           {"server", "nginx/1.22.1"}});
  CHECK(beyond(many).first <= 112);
  CHECK(beyond(many).second <= 16);
  CHECK(beyond(few).second <= 112);
}

}  // namespace
}  // namespace headgate::cache
