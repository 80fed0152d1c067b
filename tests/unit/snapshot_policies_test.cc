// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "appliance/snapshot/policy/policies.h"

namespace schema = headgate::schema;
namespace snapshot = headgate::snapshot;
using headgate::http::Field;
using headgate::http::Fields;

namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

Lines applied(const schema::ResponseHeadersPolicy& source, const std::vector<Field>& request,
              const std::vector<Field>& stored) {
  const auto policy =
      snapshot::compile(std::make_shared<const schema::ResponseHeadersPolicy>(source));
  std::pmr::vector<Field> out;
  snapshot::apply(*policy, request, stored, out);
  Lines lines;
  for (const auto& field : out) lines.emplace_back(field.name, field.value);
  return lines;
}

schema::ResponseHeadersPolicy cors(schema::CorsRule rule) {
  schema::ResponseHeadersPolicy policy;
  policy.cors = std::move(rule);
  return policy;
}

}  // namespace

TEST_CASE("custom headers override only where they say so, and removed ones go") {
  schema::ResponseHeadersPolicy policy;
  policy.custom_headers = {
      {"X-Mark", "m1", true}, {"X-Soft", "ours", false}, {"X-New", "n", false}};
  policy.remove_headers = {"Server"};
  CHECK(applied(policy, {},
                {{"server", "s"}, {"x-mark", "old"}, {"x-soft", "theirs"}, {"etag", "e"}}) ==
        Lines{{"x-soft", "theirs"}, {"etag", "e"}, {"x-mark", "m1"}, {"x-new", "n"}});
}

TEST_CASE("a header may be removed from the origin and set by the same policy") {
  schema::ResponseHeadersPolicy policy;
  policy.custom_headers = {{"Server", "edge", true}};
  policy.remove_headers = {"Server"};
  CHECK(applied(policy, {}, {{"server", "s"}}) == Lines{{"server", "edge"}});
}

TEST_CASE("CORS answers only who asks with an allowed Origin") {
  schema::CorsRule rule;
  rule.allow_origins = {"https://*.example.com"};
  rule.allow_methods = {"GET"};
  CHECK(applied(cors(rule), {}, {}).empty());
  CHECK(applied(cors(rule), {{"origin", "https://evil.example.org"}}, {}).empty());
  CHECK(applied(cors(rule), {{"origin", "https://a.example.com"}}, {}) ==
        Lines{{"access-control-allow-origin", "https://a.example.com"}, {"vary", "Origin"}});
}

TEST_CASE("any origin is '*', but never together with credentials") {
  schema::CorsRule rule;
  rule.allow_origins = {"*"};
  CHECK(applied(cors(rule), {{"origin", "https://a"}}, {}) ==
        Lines{{"access-control-allow-origin", "*"}});
  rule.allow_credentials = true;
  CHECK(applied(cors(rule), {{"origin", "https://a"}}, {}) ==
        Lines{{"access-control-allow-origin", "https://a"},
              {"vary", "Origin"},
              {"access-control-allow-credentials", "true"}});
}

TEST_CASE("a preflight hears of methods, headers and age") {
  schema::CorsRule rule;
  rule.allow_origins = {"*"};
  rule.allow_methods = {"ALL"};
  rule.allow_headers = {"*"};
  rule.expose_headers = {"X-A"};
  rule.max_age = std::chrono::seconds(600);
  CHECK(applied(cors(rule),
                {{"origin", "https://a"},
                 {"access-control-request-method", "PUT"},
                 {"access-control-request-headers", "x-b"}},
                {}) ==
        Lines{{"access-control-allow-origin", "*"},
              {"access-control-allow-methods", "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS"},
              {"access-control-allow-headers", "x-b"},
              {"access-control-max-age", "600"}});
}

TEST_CASE("without originOverride an origin's own CORS fields stand") {
  schema::CorsRule rule;
  rule.allow_origins = {"*"};
  rule.origin_override = false;
  const std::vector<Field> stored = {{"access-control-allow-origin", "https://only"}};
  CHECK(applied(cors(rule), {{"origin", "https://a"}}, stored) ==
        Lines{{"access-control-allow-origin", "https://only"}});
  rule.origin_override = true;
  CHECK(applied(cors(rule), {{"origin", "https://a"}}, stored) ==
        Lines{{"access-control-allow-origin", "*"}});
}

TEST_CASE("selectors take what they name, all but that, all, or nothing") {
  using Mode = snapshot::NameSelector::Mode;
  CHECK(snapshot::NameSelector(Mode::Only, {"b", "a"}).takes("a"));
  CHECK_FALSE(snapshot::NameSelector(Mode::Only, {"b", "a"}).takes("c"));
  CHECK_FALSE(snapshot::NameSelector(Mode::AllExcept, {"a"}).takes("a"));
  CHECK(snapshot::NameSelector(Mode::AllExcept, {"a"}).takes("b"));
  CHECK(snapshot::NameSelector(Mode::All, {}).takes("x"));
  CHECK_FALSE(snapshot::NameSelector(Mode::None, {"a"}).takes("a"));
}
