// SPDX-License-Identifier: MIT
// Resources as JSON: the order of the table, defaults, secrets.
#include <doctest/doctest.h>

#include "schema/encode.h"

using namespace headgate::schema;

namespace {

Distribution with_secret(const char* text) {
  Distribution shop;
  shop.name = "shop";
  Origin origin;
  origin.id = "web";
  origin.domain_name = "web.example.com";
  OriginCustomHeader header;
  header.name = "X-Auth";
  header.value.value = Redacted(text);
  origin.custom_headers.push_back(header);
  shop.origins.push_back(origin);
  shop.default_cache_behavior.target_origin_id = "web";
  return shop;
}

}  // namespace

TEST_CASE("an inline secret is never shown, but a change of it is seen") {
  Json one = to_json(with_secret("hunter2"));
  Json same = to_json(with_secret("hunter2"));
  Json other = to_json(with_secret("hunter3"));
  CHECK(one.dump().find("hunter2") == std::string::npos);
  CHECK(one == same);
  CHECK(one != other);
}

TEST_CASE("without its key the digest of a secret tells nothing") {
  EncodeOptions a, b;
  a.secret_key = "a";
  b.secret_key = "b";
  CHECK(to_json(with_secret("hunter2"), a) != to_json(with_secret("hunter2"), b));
}

TEST_CASE("left-out defaults leave what was said and what is required") {
  EncodeOptions options;
  options.defaults = Defaults::LeftOut;
  Distribution shop = with_secret("x");
  shop.comment = "hello";
  Json json = to_json(shop, options);
  CHECK(json["spec"].contains("comment"));
  CHECK(json["spec"].contains("origins"));
  CHECK(json["spec"]["defaultCacheBehavior"].contains("viewerProtocolPolicy"));
  CHECK(!json["spec"].contains("enabled"));
  CHECK(!json["spec"].contains("restrictions"));
  CHECK(!json["spec"]["origins"][0].contains("custom"));
  CHECK(to_json(shop)["spec"]["enabled"] == true);
}

TEST_CASE("members come in the order of the table") {
  std::vector<std::string> names;
  Json json = to_json(with_secret("x"));
  for (const auto& [name, value] : json["spec"].items()) names.push_back(name);
  CHECK(names.front() == "enabled");
  CHECK(names.back() == "rollout");
}

TEST_CASE("a long file content is a digest that changes with it") {
  Distribution shop = with_secret("x");
  CustomErrorResponse response;
  response.error_code = 503;
  response.inline_body = std::string(257, 'a');
  shop.custom_error_responses.push_back(response);
  Json before = to_json(shop);
  CHECK(before.dump().find("aaaa") == std::string::npos);
  shop.custom_error_responses[0].inline_body[0] = 'b';
  CHECK(to_json(shop) != before);
}
