// SPDX-License-Identifier: MIT
// The tables of CloudFront's managed policies.
#include "schema/model/managed.h"

#include <fmt/format.h>

namespace headgate::schema {
namespace {

using std::chrono::seconds;

template <class T>
struct Managed {
  const char* id;
  std::shared_ptr<const T> policy;
};

template <class T>
std::shared_ptr<const T> find_in(const std::vector<Managed<T>>& list,
                                 const std::string& reference) {
  for (const Managed<T>& managed : list)
    if (reference == managed.id || reference == managed.policy->name) return managed.policy;
  return nullptr;
}

template <class T>
std::vector<std::string> names_of(const std::vector<Managed<T>>& list) {
  std::vector<std::string> names;
  for (const Managed<T>& managed : list) names.push_back(managed.policy->name);
  return names;
}

Selector none() { return {}; }
Selector all() { return {Selection::All, {}}; }
Selector only(std::vector<std::string> items) { return {Selection::Whitelist, std::move(items)}; }

Managed<CachePolicy> cache(const char* id, const char* name, int min, int standard, int max,
                           CacheKeyParameters parameters) {
  CachePolicy policy;
  policy.name = fmt::format("Managed-{}", name);
  policy.min_ttl = seconds(min);
  policy.default_ttl = seconds(standard);
  policy.max_ttl = seconds(max);
  policy.parameters = std::move(parameters);
  return {id, std::make_shared<const CachePolicy>(std::move(policy))};
}

constexpr int kDay = 86400;
constexpr int kYear = 31536000;

const std::vector<Managed<CachePolicy>>& cache_policies() {
  // Gzip, Brotli, query strings, headers, cookies.
  static const Selector origin_cache_control =
      only({"Host", "Origin", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"});
  static const std::vector<Managed<CachePolicy>> list = {
      cache(
          "2e54312d-136d-493c-8eb9-b001f22f67d2", "Amplify", 2, 2, 600,
          {true, true, all(), only({"Authorization", "CloudFront-Viewer-Country", "Host"}), all()}),
      cache("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled", 0, 0, 0,
            {false, false, none(), none(), none()}),
      cache("658327ea-f89d-4fab-a63d-7e88639e58f6", "CachingOptimized", 1, kDay, kYear,
            {true, true, none(), none(), none()}),
      cache("b2884449-e4de-46a7-ac36-70bc7f1ddd6d", "CachingOptimizedForUncompressedObjects", 1,
            kDay, kYear, {false, false, none(), none(), none()}),
      cache("08627262-05a9-4f76-9ded-b50ca2e3a84f", "Elemental-MediaPackage", 0, kDay, kYear,
            {true, false, only({"aws.manifestfilter", "start", "end", "m"}), only({"Origin"}),
             none()}),
      cache("83da9c7e-98b4-4e11-a168-04f0df8e2c65", "UseOriginCacheControlHeaders", 0, 0, kYear,
            {true, true, none(), origin_cache_control, all()}),
      cache("4cc15a8a-d715-48a4-82b8-cc0b614638fe", "UseOriginCacheControlHeaders-QueryStrings", 0,
            0, kYear, {true, true, all(), origin_cache_control, all()}),
  };
  return list;
}

Managed<OriginRequestPolicy> forward(const char* id, const char* name, Selector headers,
                                     Selector cookies, Selector query_strings) {
  OriginRequestPolicy policy;
  policy.name = fmt::format("Managed-{}", name);
  policy.headers = std::move(headers);
  policy.cookies = std::move(cookies);
  policy.query_strings = std::move(query_strings);
  return {id, std::make_shared<const OriginRequestPolicy>(std::move(policy))};
}

/// The 21 headers of June 2022.
Selector viewer_and_cloudfront_headers() {
  std::vector<std::string> items;
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
    items.push_back(fmt::format("CloudFront-{}", name));
  return {Selection::AllViewerAndWhitelistCloudFront, std::move(items)};
}

const std::vector<Managed<OriginRequestPolicy>>& origin_request_policies() {
  static const std::vector<Managed<OriginRequestPolicy>> list = {
      forward("216adef6-5c7f-47e4-b989-5492eafa07d3", "AllViewer", {Selection::AllViewer, {}},
              all(), all()),
      forward("33f36d7e-f396-46d9-90e0-52428a34d9dc", "AllViewerAndCloudFrontHeaders-2022-06",
              viewer_and_cloudfront_headers(), all(), all()),
      forward("b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader",
              {Selection::AllExcept, {"Host"}}, all(), all()),
      forward("59781a5b-3903-41f3-afcb-af62929ccde1", "CORS-CustomOrigin", only({"Origin"}), none(),
              none()),
      forward("88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", "CORS-S3Origin",
              only({"Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"}),
              none(), none()),
      forward("775133bc-15f2-49f9-abea-afb2e0bf67d2", "Elemental-MediaTailor-PersonalizedManifests",
              only({"Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method",
                    "User-Agent", "X-Forwarded-For"}),
              none(), all()),
      forward("bf0718e1-ba1e-49d1-88b1-f726733018ae", "HostHeaderOnly", only({"Host"}), none(),
              none()),
      forward("acba4595-bd28-49b8-b9fe-13317c0390fa", "UserAgentRefererHeaders",
              only({"User-Agent", "Referer"}), none(), none()),
  };
  return list;
}

enum class Cors { None, Simple, Preflight };
enum class Security { No, Yes };

Managed<ResponseHeadersPolicy> respond(const char* id, const char* name, Cors cors,
                                       Security security) {
  ResponseHeadersPolicy policy;
  policy.name = fmt::format("Managed-{}", name);
  if (cors != Cors::None) {
    CorsRule rule;
    rule.allow_origins = {"*"};
    rule.origin_override = false;
    if (cors == Cors::Preflight) {
      rule.allow_methods = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};
      rule.allow_headers = {"*"};
      rule.expose_headers = {"*"};
    }
    policy.cors = std::move(rule);
  }
  // Only nosniff replaces what the origin says.
  if (security == Security::Yes)
    policy.security_headers = {{"Strict-Transport-Security", "max-age=31536000", false},
                               {"X-Content-Type-Options", "nosniff", true},
                               {"X-Frame-Options", "SAMEORIGIN", false},
                               {"Referrer-Policy", "strict-origin-when-cross-origin", false},
                               {"X-XSS-Protection", "1; mode=block", false}};
  return {id, std::make_shared<const ResponseHeadersPolicy>(std::move(policy))};
}

const std::vector<Managed<ResponseHeadersPolicy>>& response_headers_policies() {
  static const std::vector<Managed<ResponseHeadersPolicy>> list = {
      respond("60669652-455b-4ae9-85a4-c4c02393f86c", "SimpleCORS", Cors::Simple, Security::No),
      respond("5cc3b908-e619-4b99-88e5-2cf7f45965bd", "CORS-With-Preflight", Cors::Preflight,
              Security::No),
      respond("67f7725c-6f97-4210-82d7-5512b31e9d03", "SecurityHeadersPolicy", Cors::None,
              Security::Yes),
      respond("e61eb60c-9c35-4d20-a928-2b84e02af89c", "CORS-and-SecurityHeadersPolicy",
              Cors::Simple, Security::Yes),
      respond("eaab4381-ed33-4a86-88ca-d9558dc6cd63",
              "CORS-with-preflight-and-SecurityHeadersPolicy", Cors::Preflight, Security::Yes),
  };
  return list;
}

template <class T>
void rows(const char* kind, const std::vector<Managed<T>>& list, std::string& out) {
  for (const Managed<T>& managed : list)
    out += fmt::format("| {} | `{}` | `{}` |\n", kind, managed.policy->name, managed.id);
}

}  // namespace

std::shared_ptr<const CachePolicy> find_managed_cache_policy(const std::string& reference) {
  return find_in(cache_policies(), reference);
}
std::shared_ptr<const OriginRequestPolicy> find_managed_origin_request_policy(
    const std::string& reference) {
  return find_in(origin_request_policies(), reference);
}
std::shared_ptr<const ResponseHeadersPolicy> find_managed_response_headers_policy(
    const std::string& reference) {
  return find_in(response_headers_policies(), reference);
}

std::vector<std::string> managed_cache_policy_names() { return names_of(cache_policies()); }
std::vector<std::string> managed_origin_request_policy_names() {
  return names_of(origin_request_policies());
}
std::vector<std::string> managed_response_headers_policy_names() {
  return names_of(response_headers_policies());
}

std::string managed_policies_markdown() {
  std::string out = "| kind | name | CloudFront's id |\n|---|---|---|\n";
  rows("CachePolicy", cache_policies(), out);
  rows("OriginRequestPolicy", origin_request_policies(), out);
  rows("ResponseHeadersPolicy", response_headers_policies(), out);
  return out;
}

}  // namespace headgate::schema
