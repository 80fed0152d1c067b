// SPDX-License-Identifier: MIT
// Responses that are encoded while they arrive.
#include <doctest/doctest.h>
#include <zlib.h>

#include <string>
#include <thread>

#include "appliance/server/transfer/encoding.h"
#include "tests/support/cache_fixture.h"
#include "tests/support/test_loop.h"

using headgate::base::make_ref;
using headgate::base::Ref;
using headgate::cache::Body;
using headgate::cache::EncodedBody;
using headgate::cache::PurgeTable;
using headgate::cache::Store;
using headgate::compress::Levels;
using headgate::http::Coding;
using headgate::http::CodingSet;
using headgate::server::Encodings;
using headgate::test::make_response;
using headgate::test::OwnedKey;

namespace {

constexpr CodingSet kGzip = CodingSet().add(Coding::Gzip);
constexpr CodingSet kAll = CodingSet(kGzip).add(Coding::Brotli).add(Coding::Zstd);

void wait_until_idle(const Encodings& encodings) {
  while (encodings.stats().running != 0) std::this_thread::yield();
}

std::string text(std::size_t length) {
  std::string out;
  while (out.size() < length) out += "line " + std::to_string(out.size()) + "\n";
  out.resize(length);
  return out;
}

std::string octets_of(const Ref<Body>& body) {
  headgate::test::ManualLoop loop;
  headgate::cache::BodyReader reader(body, loop, [] {});
  std::string out;
  std::vector<std::string_view> slices;
  for (bool last = false; !last; slices.clear()) {
    if (reader.read(1 << 20, 8, slices, last) != headgate::cache::BodyReader::Status::Data) break;
    for (const auto slice : slices) out += slice;
  }
  return out;
}

std::string gunzip(const Ref<Body>& body, std::size_t length) {
  std::string out(length + 1, '\0');
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
  const std::string coded = octets_of(body);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
  stream.avail_in = static_cast<uInt>(coded.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("a response is encoded once in each coding, in whatever pieces it comes") {
  for (const std::size_t length : {std::size_t{1000}, std::size_t{65'536}, std::size_t{65'537}})
    for (const std::size_t piece : {std::size_t{1}, std::size_t{777}, std::size_t{100'000}}) {
      if (piece == 1 && length > 1000) continue;
      Encodings encodings(2);
      const std::string content = text(length);
      const auto body = make_ref<Body>(Body::Keep::All, length);
      const auto encoding = encodings.begin(body, length, kAll, Levels{});
      REQUIRE(encoding != nullptr);
      for (std::size_t at = 0; at < length; at += piece)
        CHECK(body->append(std::string_view(content).substr(at, piece)));
      body->finish();
      wait_until_idle(encodings);
      REQUIRE(encoding->bodies().size() == 3);
      for (const EncodedBody& encoded : encoding->bodies()) CHECK(encoded.body->complete());
      CHECK(encoding->bodies()[0].coding == Coding::Brotli);
      CHECK((gunzip(encoding->bodies()[2].body, length) == content));
      const auto stats = encodings.stats();
      for (const auto& of : stats.codings) {
        CHECK(of.made == 1);
        CHECK(of.input_bytes == length);
        CHECK(of.output_bytes < length);
        CHECK(of.cpu_ns > 0);
      }
    }
}

TEST_CASE("the stored response gets its encodings, whichever is ready first") {
  const OwnedKey key("shop", "/a");
  const PurgeTable purges;
  for (const bool stored_first : {true, false}) {
    Store store(64 << 20, 1);
    Encodings encodings(1);
    const std::string content = text(5000);
    const auto response = make_response(key.key(), {}, content);
    store.insert(key.key(), {}, response);
    // Held open by its last octet, so that the order is the test's.
    const auto body = make_ref<Body>(Body::Keep::All, content.size());
    const auto held = headgate::cache::StoredResponse::make(
        key.key(), 200, headgate::http::Fields(), body, headgate::cache::Stamp(),
        headgate::base::MonoTime(), headgate::base::MonoTime(), headgate::test::kSomeTime,
        headgate::Duration::zero());
    const auto encoding = encodings.begin(body, content.size(), kGzip, Levels{});
    CHECK(body->append(content));
    body->finish();
    if (!stored_first) wait_until_idle(encodings);
    store.insert(key.key(), {}, held);
    encoding->stored(store, key.key());
    wait_until_idle(encodings);
    const auto found = store.find(key.key(), {}, purges).response;
    REQUIRE(found);
    REQUIRE(found->encodings().size() == 1);
    CHECK((gunzip(found->encodings()[0].body, content.size()) == content));
  }
}

TEST_CASE("what breaks off breaks off every encoding, and is never stored") {
  Encodings encodings(1);
  for (const std::size_t length : {std::size_t{5000}, std::size_t{500'000}}) {
    const auto body = make_ref<Body>(Body::Keep::All, length);
    const auto encoding = encodings.begin(body, length, kAll, Levels{});
    CHECK(body->append(text(length / 2)));
    body->fail();
    wait_until_idle(encodings);
    for (const EncodedBody& encoded : encoding->bodies()) CHECK(encoded.body->failed());
  }
  CHECK(encodings.stats().codings[0].failed == 2);
  CHECK(encodings.stats().codings[0].made == 0);
}

TEST_CASE("an encoding that is no smaller is not kept") {
  const OwnedKey key("shop", "/a");
  Store store(64 << 20, 1);
  Encodings encodings(1);
  std::string noise(2000, '\0');
  std::uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24U);
  const auto response = make_response(key.key(), {}, noise);
  store.insert(key.key(), {}, response);
  const auto encoding = encodings.begin(response->body(), noise.size(), kAll, Levels{});
  encoding->stored(store, key.key());
  wait_until_idle(encodings);
  CHECK(store.find(key.key(), {}, PurgeTable()).response->encodings().empty());
  CHECK(encodings.stats().codings[2].useless == 1);
}

TEST_CASE("memory is bounded: what is too much at once is refused, and accepted again later") {
  Encodings encodings(1);
  std::vector<Ref<Body>> bodies;
  std::uint64_t accepted = 0;
  for (int i = 0; i < 100; ++i) {
    bodies.push_back(make_ref<Body>(Body::Keep::All, 10'000'000));
    accepted += encodings.begin(bodies.back(), 10'000'000, kAll, Levels{}) != nullptr ? 1 : 0;
  }
  CHECK(accepted > 0);
  CHECK(accepted <= 6);
  CHECK(encodings.stats().refused == 100 - accepted);
  CHECK(encodings.stats().running == accepted);
  for (const auto& body : bodies) body->fail();
  wait_until_idle(encodings);
  const auto body = make_ref<Body>(Body::Keep::All, 10'000'000);
  CHECK(encodings.begin(body, 10'000'000, kAll, Levels{}) != nullptr);
  body->fail();
}

TEST_CASE("an edge that stops leaves nothing behind of what was being encoded") {
  const auto body = make_ref<Body>(Body::Keep::All, 500'000);
  Ref<Body> encoded;
  {
    Encodings encodings(2);
    const auto encoding = encodings.begin(body, 500'000, kGzip, Levels{});
    encoded = encoding->bodies()[0].body;
    CHECK(body->append(text(100'000)));
  }
  CHECK_FALSE(encoded->complete());
  CHECK(body->append("nobody listens"));
  CHECK(body->use_count() == 1);
}
