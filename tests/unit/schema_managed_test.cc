// SPDX-License-Identifier: MIT
// CloudFront's managed policies against its tables, by id and by name.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "schema/model/managed.h"

using namespace headgate::schema;
using headgate::Duration;
using std::chrono::seconds;

namespace {

using Names = std::vector<std::string>;

struct CacheRow {
  const char* name;
  const char* id;
  int min, standard, max;
  Selection headers;
  Names header_names;
  Selection cookies;
  Selection queries;
  Names query_names;
  bool gzip, brotli;
};

struct ForwardRow {
  const char* name;
  const char* id;
  Selection headers;
  Names header_names;
  Selection cookies;
  Selection queries;
};

constexpr int kDay = 86400;
constexpr int kYear = 31536000;
const Names kOriginHeaders = {"Host", "Origin", "X-HTTP-Method-Override", "X-HTTP-Method",
                              "X-Method-Override"};

}  // namespace

TEST_CASE("the managed cache policies are those of CloudFront's table") {
  using enum Selection;
  const std::vector<CacheRow> table = {
      {"Amplify",
       "2e54312d-136d-493c-8eb9-b001f22f67d2",
       2,
       2,
       600,
       Whitelist,
       {"Authorization", "CloudFront-Viewer-Country", "Host"},
       All,
       All,
       {},
       true,
       true},
      {"CachingDisabled",
       "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
       0,
       0,
       0,
       None,
       {},
       None,
       None,
       {},
       false,
       false},
      {"CachingOptimized",
       "658327ea-f89d-4fab-a63d-7e88639e58f6",
       1,
       kDay,
       kYear,
       None,
       {},
       None,
       None,
       {},
       true,
       true},
      {"CachingOptimizedForUncompressedObjects",
       "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
       1,
       kDay,
       kYear,
       None,
       {},
       None,
       None,
       {},
       false,
       false},
      {"Elemental-MediaPackage",
       "08627262-05a9-4f76-9ded-b50ca2e3a84f",
       0,
       kDay,
       kYear,
       Whitelist,
       {"Origin"},
       None,
       Whitelist,
       {"aws.manifestfilter", "start", "end", "m"},
       true,
       false},
      {"UseOriginCacheControlHeaders",
       "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
       0,
       0,
       kYear,
       Whitelist,
       kOriginHeaders,
       All,
       None,
       {},
       true,
       true},
      {"UseOriginCacheControlHeaders-QueryStrings",
       "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
       0,
       0,
       kYear,
       Whitelist,
       kOriginHeaders,
       All,
       All,
       {},
       true,
       true},
  };
  CHECK(managed_cache_policy_names().size() == table.size());
  for (const CacheRow& row : table) {
    CAPTURE(row.name);
    const auto policy = find_managed_cache_policy(row.id);
    REQUIRE(policy != nullptr);
    CHECK(policy == find_managed_cache_policy(std::string("Managed-") + row.name));
    CHECK(policy->name == std::string("Managed-") + row.name);
    CHECK(policy->min_ttl == seconds(row.min));
    CHECK(policy->default_ttl == seconds(row.standard));
    CHECK(policy->max_ttl == seconds(row.max));
    const CacheKeyParameters& key = policy->parameters;
    CHECK(key.headers.behavior == row.headers);
    CHECK(key.headers.items == row.header_names);
    CHECK(key.cookies.behavior == row.cookies);
    CHECK(key.cookies.items.empty());
    CHECK(key.query_strings.behavior == row.queries);
    CHECK(key.query_strings.items == row.query_names);
    CHECK(key.enable_accept_encoding_gzip == row.gzip);
    CHECK(key.enable_accept_encoding_brotli == row.brotli);
    CHECK_FALSE(key.enable_accept_encoding_zstd);  // CloudFront has none
    CHECK(key.normalize.drop_query.empty());
  }
}

TEST_CASE("the managed origin request policies are those of CloudFront's table") {
  using enum Selection;
  Names cloudfront;
  for (const char* name : {"Forwarded-Proto",
                           "Is-Android-Viewer",
                           "Is-Desktop-Viewer",
                           "Is-IOS-Viewer",
                           "Is-Mobile-Viewer",
                           "Is-SmartTV-Viewer",
                           "Is-Tablet-Viewer",
                           "Viewer-Address",
                           "Viewer-ASN",
                           "Viewer-City",
                           "Viewer-Country",
                           "Viewer-Country-Name",
                           "Viewer-Country-Region",
                           "Viewer-Country-Region-Name",
                           "Viewer-Http-Version",
                           "Viewer-Latitude",
                           "Viewer-Longitude",
                           "Viewer-Metro-Code",
                           "Viewer-Postal-Code",
                           "Viewer-Time-Zone",
                           "Viewer-TLS"})
    cloudfront.push_back(std::string("CloudFront-") + name);
  CHECK(cloudfront.size() == 21);
  const std::vector<ForwardRow> table = {
      {"AllViewer", "216adef6-5c7f-47e4-b989-5492eafa07d3", AllViewer, {}, All, All},
      {"AllViewerAndCloudFrontHeaders-2022-06", "33f36d7e-f396-46d9-90e0-52428a34d9dc",
       AllViewerAndWhitelistCloudFront, cloudfront, All, All},
      {"AllViewerExceptHostHeader",
       "b689b0a8-53d0-40ab-baf2-68738e2966ac",
       AllExcept,
       {"Host"},
       All,
       All},
      {"CORS-CustomOrigin",
       "59781a5b-3903-41f3-afcb-af62929ccde1",
       Whitelist,
       {"Origin"},
       None,
       None},
      {"CORS-S3Origin",
       "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
       Whitelist,
       {"Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"},
       None,
       None},
      {"Elemental-MediaTailor-PersonalizedManifests",
       "775133bc-15f2-49f9-abea-afb2e0bf67d2",
       Whitelist,
       {"Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method", "User-Agent",
        "X-Forwarded-For"},
       None,
       All},
      {"HostHeaderOnly", "bf0718e1-ba1e-49d1-88b1-f726733018ae", Whitelist, {"Host"}, None, None},
      {"UserAgentRefererHeaders",
       "acba4595-bd28-49b8-b9fe-13317c0390fa",
       Whitelist,
       {"User-Agent", "Referer"},
       None,
       None},
  };
  CHECK(managed_origin_request_policy_names().size() == table.size());
  for (const ForwardRow& row : table) {
    CAPTURE(row.name);
    const auto policy = find_managed_origin_request_policy(row.id);
    REQUIRE(policy != nullptr);
    CHECK(policy == find_managed_origin_request_policy(std::string("Managed-") + row.name));
    CHECK(policy->headers.behavior == row.headers);
    CHECK(policy->headers.items == row.header_names);
    CHECK(policy->cookies.behavior == row.cookies);
    CHECK(policy->query_strings.behavior == row.queries);
    CHECK(policy->query_strings.items.empty());
  }
}

TEST_CASE("the managed response headers policies are those of CloudFront's table") {
  struct Row {
    const char* name;
    const char* id;
    bool cors, preflight, security;
  };
  const std::vector<Row> table = {
      {"SimpleCORS", "60669652-455b-4ae9-85a4-c4c02393f86c", true, false, false},
      {"CORS-With-Preflight", "5cc3b908-e619-4b99-88e5-2cf7f45965bd", true, true, false},
      {"SecurityHeadersPolicy", "67f7725c-6f97-4210-82d7-5512b31e9d03", false, false, true},
      {"CORS-and-SecurityHeadersPolicy", "e61eb60c-9c35-4d20-a928-2b84e02af89c", true, false, true},
      {"CORS-with-preflight-and-SecurityHeadersPolicy", "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
       true, true, true},
  };
  CHECK(managed_response_headers_policy_names().size() == table.size());
  for (const Row& row : table) {
    CAPTURE(row.name);
    const auto policy = find_managed_response_headers_policy(row.id);
    REQUIRE(policy != nullptr);
    CHECK(policy == find_managed_response_headers_policy(std::string("Managed-") + row.name));
    REQUIRE(policy->cors.has_value() == row.cors);
    if (row.cors) {
      CHECK(policy->cors->allow_origins == Names{"*"});
      CHECK_FALSE(policy->cors->origin_override);
      CHECK_FALSE(policy->cors->allow_credentials);
      CHECK(policy->cors->allow_methods.empty() != row.preflight);
    }
    CHECK(policy->security_headers.empty() != row.security);
    for (const SecurityHeader& header : policy->security_headers)
      CHECK(header.override_origin == (header.header == "X-Content-Type-Options"));
    CHECK(policy->custom_headers.empty());
    CHECK(policy->remove_headers.empty());
  }
}

TEST_CASE("a name without Managed- and an id of nobody's find nothing") {
  CHECK(find_managed_cache_policy("CachingOptimized") == nullptr);
  CHECK(find_managed_cache_policy("216adef6-5c7f-47e4-b989-5492eafa07d3") == nullptr);
  CHECK(find_managed_origin_request_policy("") == nullptr);
}
