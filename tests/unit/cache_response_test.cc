// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "appliance/cache/response.h"
#include "tests/support/cache_fixture.h"

using headgate::Duration;
using headgate::base::MonoTime;
using headgate::cache::StoredResponse;
using headgate::http::find;
using headgate::test::kSomeTime;
using headgate::test::make_response;
using headgate::test::OwnedFields;
using headgate::test::OwnedKey;

namespace {

auto refresh(const StoredResponse& old, const OwnedFields& update) {
  return StoredResponse::refreshed(old, update, {.epoch = 9, .generation = 2},
                                   MonoTime(Duration(5)), MonoTime(Duration(6)), kSomeTime,
                                   Duration(1000));
}

}  // namespace

TEST_CASE("a 304 replaces and adds fields, keeps the others, and shares the body") {
  const OwnedKey key("shop", "/a");
  const OwnedFields fields = {
      {"cache-control", "max-age=1"}, {"x-old", "1"}, {"set-cookie", "a=1"}, {"set-cookie", "b=1"}};
  const auto old = make_response(key.key(), fields, "body");
  const auto now =
      refresh(*old, {{"cache-control", "max-age=60"}, {"x-new", "2"}, {"set-cookie", "c=1"}});
  CHECK(find(now->fields(), "cache-control") == "max-age=60");
  CHECK(find(now->fields(), "x-old") == "1");
  CHECK(find(now->fields(), "x-new") == "2");
  CHECK(find(now->fields(), "set-cookie") == "c=1");
  CHECK(now->fields().size() == 4);
  CHECK(now->body().get() == old->body().get());
  CHECK(now->status() == 200);
  CHECK(now->key_text() == old->key_text());
  CHECK(now->path() == "/a");
  CHECK(now->stamp().epoch == 9);
  CHECK(now->validated_epoch() == 9);
  CHECK(now->directives().explicit_lifetime == std::chrono::seconds(60));
  CHECK(old->directives().explicit_lifetime == std::chrono::seconds(1));
}

TEST_CASE("a 304 does not change what describes the stored octets") {
  const OwnedKey key("shop", "/a");
  const OwnedFields fields = {
      {"content-length", "4"}, {"content-encoding", "gzip"}, {"etag", "\"1\""}};
  const auto old = make_response(key.key(), fields, "body");
  const auto now = refresh(*old, {{"content-length", "0"},
                                  {"content-encoding", "br"},
                                  {"content-range", "bytes 0-1/2"},
                                  {"age", "7"},
                                  {"etag", "\"2\""}});
  CHECK(find(now->fields(), "content-length") == "4");
  CHECK(find(now->fields(), "content-encoding") == "gzip");
  CHECK(find(now->fields(), "etag") == "\"1\"");
  CHECK_FALSE(find(now->fields(), "content-range"));
  CHECK_FALSE(find(now->fields(), "age"));
}

TEST_CASE("the current age is that at receipt and the time since") {
  const OwnedKey key("shop", "/a");
  const auto now = refresh(*make_response(key.key(), {}, ""), {});
  CHECK(now->current_age(MonoTime(Duration(6))) == Duration(1000));
  CHECK(now->current_age(MonoTime(Duration(506))) == Duration(1500));
}

TEST_CASE("a stored response owns its text") {
  std::string value = "text/html";
  auto key = std::make_unique<OwnedKey>("shop", "/a");
  const OwnedFields fields = {{"content-type", value}};
  const auto response = make_response(key->key(), fields, "x");
  value = "clobbered";
  key.reset();
  CHECK(find(response->fields(), "content-type") == "text/html");
  CHECK(response->key_text() == "shop /a");
  CHECK(response->memory_bytes() > sizeof(StoredResponse));
}

TEST_CASE("a stored response says of lifetimes what its fields say") {
  const auto directives_of = [](std::string_view cache_control) {
    const OwnedKey key("shop", "/a");
    const OwnedFields fields = {{"cache-control", cache_control}};
    return make_response(key.key(), fields, "")->directives();
  };
  const auto all = directives_of("max-age=9, stale-while-revalidate=0, stale-if-error=86400");
  CHECK(all.explicit_lifetime == std::chrono::seconds(9));
  CHECK(all.stale_while_revalidate == Duration::zero());
  CHECK(all.stale_if_error == std::chrono::seconds(86400));
  CHECK_FALSE(all.must_revalidate);
  CHECK(all.has_cache_control_or_expires);
  const auto none = directives_of("no-cache, must-revalidate, public");
  CHECK_FALSE(none.explicit_lifetime);
  CHECK_FALSE(none.stale_while_revalidate);
  CHECK_FALSE(none.stale_if_error);
  CHECK(none.no_cache);
  CHECK(none.must_revalidate);
  CHECK(none.is_public);
  CHECK_FALSE(none.no_store);
}
