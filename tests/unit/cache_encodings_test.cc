// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "appliance/cache/store/store.h"
#include "tests/support/cache_fixture.h"

using headgate::base::make_ref;
using headgate::base::Ref;
using headgate::cache::Body;
using headgate::cache::EncodedBody;
using headgate::cache::PurgeMode;
using headgate::cache::PurgeTable;
using headgate::cache::Store;
using headgate::cache::StoredResponse;
using headgate::http::Coding;
using headgate::http::Fields;
using headgate::http::find;
using headgate::test::make_response;
using headgate::test::OwnedFields;
using headgate::test::OwnedKey;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

std::vector<EncodedBody> encodings(std::string_view brotli, std::string_view gzip) {
  return {{Coding::Brotli, Body::of(brotli)}, {Coding::Gzip, Body::of(gzip)}};
}

const OwnedFields kVary = {{"vary", "Accept-Encoding, Origin"}, {"etag", "\"1\""}};

}  // namespace

TEST_CASE("a response with encodings varies by Accept-Encoding no more, and shares its body") {
  const OwnedKey key("shop", "/a");
  const auto plain = make_response(key.key(), kVary, "AAAA");
  const auto with = StoredResponse::with_encodings(*plain, encodings("b", "g"));
  CHECK(find(with->fields(), "vary") == "origin");
  CHECK(find(with->fields(), "etag") == "\"1\"");
  CHECK(with->body().get() == plain->body().get());
  CHECK(with->encodings().size() == 2);
  CHECK(plain->encodings().empty());
  const OwnedFields only = {{"vary", "accept-encoding"}};
  const auto bare =
      StoredResponse::with_encodings(*make_response(key.key(), only, "A"), encodings("b", "g"));
  CHECK_FALSE(find(bare->fields(), "vary"));
}

TEST_CASE("a 304 keeps the encodings, and its Vary does not bring Accept-Encoding back") {
  const OwnedKey key("shop", "/a");
  const auto old =
      StoredResponse::with_encodings(*make_response(key.key(), kVary, "AAAA"), encodings("b", "g"));
  const OwnedFields update = {{"vary", "Accept-Encoding"}, {"x-new", "1"}};
  const auto now =
      StoredResponse::refreshed(*old, update, {}, {}, {}, headgate::test::kSomeTime, {});
  CHECK(now->encodings().size() == 2);
  CHECK(now->encodings()[0].body.get() == old->encodings()[0].body.get());
  CHECK_FALSE(find(now->fields(), "vary"));
  CHECK(find(now->fields(), "x-new") == "1");
}

TEST_CASE("encodings count once they are complete") {
  const OwnedKey key("shop", "/a");
  const auto plain = make_response(key.key(), {}, std::string(1000, 'a'));
  const auto growing = make_ref<Body>(Body::Keep::All);
  CHECK(growing->append(std::string(500, 'b')));
  const auto with = StoredResponse::with_encodings(*plain, {{Coding::Gzip, growing}});
  const auto before = with->memory_bytes();
  growing->finish();
  CHECK(with->memory_bytes() == before + growing->memory_bytes());
}

TEST_CASE("finished encodings take the place of what grew, within the budget") {
  Store store(64 * kMiB, 1);
  const PurgeTable purges;
  const OwnedKey key("shop", "/a");
  auto response = make_response(key.key(), {}, std::string(4000, 'a'));
  const Ref<Body> body = response->body();
  store.insert(key.key(), {}, std::move(response));
  const auto before = store.stats().resident_bytes;
  store.set_encodings(key.key(), *body, encodings(std::string(900, 'b'), std::string(1000, 'g')));
  const auto found = store.find(key.key(), {}, purges).response;
  REQUIRE(found);
  CHECK(found->encodings().size() == 2);
  CHECK(store.stats().objects == 1);
  CHECK(store.stats().resident_bytes >= before + 1900);
  CHECK(store.stats().pinned_bytes == 0);
}

TEST_CASE("a refreshed response gets them too, a newer one and another variant do not") {
  Store store(64 * kMiB, 1);
  const PurgeTable purges;
  const OwnedKey key("shop", "/a");
  const auto first = make_response(key.key(), {}, "AAAA");
  store.insert(key.key(), {}, first);
  store.insert(key.key(), {},
               StoredResponse::refreshed(*first, {}, {}, {}, {}, headgate::test::kSomeTime, {}));
  store.set_encodings(key.key(), *first->body(), encodings("b", "g"));
  CHECK(store.find(key.key(), {}, purges).response->encodings().size() == 2);

  store.insert(key.key(), {}, make_response(key.key(), {}, "NEW"));
  store.set_encodings(key.key(), *first->body(), encodings("b", "g"));
  const auto found = store.find(key.key(), {}, purges).response;
  CHECK(found->body()->contiguous() == "NEW");
  CHECK(found->encodings().empty());
}

TEST_CASE("a variant keeps the request that selects it when it gets its encodings") {
  Store store(64 * kMiB, 1);
  const PurgeTable purges;
  const OwnedKey key("shop", "/a");
  const OwnedFields vary = {{"vary", "accept-language"}};
  const OwnedFields german = {{"accept-language", "de"}};
  const OwnedFields french = {{"accept-language", "fr"}};
  const auto response = make_response(key.key(), vary, "deutsch");
  store.insert(key.key(), german, response);
  store.insert(key.key(), french, make_response(key.key(), vary, "français"));
  store.set_encodings(key.key(), *response->body(), encodings("b", "g"));
  CHECK(store.find(key.key(), german, purges).response->encodings().size() == 2);
  CHECK(store.find(key.key(), french, purges).response->encodings().empty());
  CHECK_FALSE(store.find(key.key(), {}, purges).response);
}

TEST_CASE("a purge takes the encodings along, and nothing puts them back") {
  Store store(64 * kMiB, 1);
  PurgeTable purges;
  const OwnedKey key("shop", "/a");
  const auto response = make_response(key.key(), {}, "AAAA");
  store.insert(key.key(), {}, response);
  purges.add("shop", {"/a"}, PurgeMode::Delete, 1);
  CHECK_FALSE(store.find(key.key(), {}, purges).response);
  store.set_encodings(key.key(), *response->body(), encodings("b", "g"));
  CHECK_FALSE(store.find(key.key(), {}, purges).response);
  CHECK(store.stats().objects == 0);
}

TEST_CASE("encodings with which a response would be too large are left out, the last ones first") {
  Store store(16 * kMiB, 1);  // one response may take 1 MiB
  const PurgeTable purges;
  const OwnedKey key("shop", "/a");
  const auto response = make_response(key.key(), {}, std::string(500'000, 'a'));
  store.insert(key.key(), {}, response);
  store.set_encodings(key.key(), *response->body(),
                      encodings(std::string(300'000, 'b'), std::string(400'000, 'g')));
  const auto found = store.find(key.key(), {}, purges).response;
  REQUIRE(found);
  REQUIRE(found->encodings().size() == 1);
  CHECK(found->encodings()[0].coding == Coding::Brotli);
}

TEST_CASE("room for encodings is made by evicting others") {
  Store store(2 * kMiB, 1);
  const PurgeTable purges;
  std::vector<OwnedKey> keys;
  for (int i = 0; i < 60; ++i) keys.emplace_back("shop", "/" + std::to_string(i));
  for (const auto& key : keys)
    store.insert(key.key(), {}, make_response(key.key(), {}, std::string(50'000, 'a')));
  for (const auto& key : keys) {
    const auto found = store.find(key.key(), {}, purges).response;
    if (!found) continue;
    store.set_encodings(key.key(), *found->body(),
                        encodings(std::string(10'000, 'b'), std::string(10'000, 'g')));
    const auto stats = store.stats();
    CHECK(stats.resident_bytes + stats.index_bytes <= 2 * kMiB);
  }
  CHECK(store.stats().evictions > 0);
}
