// SPDX-License-Identifier: MIT
// Fields of `kind: Distribution`: CloudFront's DistributionConfig.
#include "schema/validate/distribution.h"

#include "schema/fields/choices.h"
#include "schema/fields/distribution/files.h"
#include "schema/fields/distribution/origin.h"
#include "schema/fields/distribution/rollout.h"
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

const std::vector<int> kErrorCodes = {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504};

void geo_fields(Object<GeoRestriction>& o) {
  o.field("type", &GeoRestriction::type, "Whether `locations` may or may not get content.")
      .required();
  o.field("locations", &GeoRestriction::locations,
          "Countries by ISO 3166-1 alpha-2 code, in quotes.")
      .format(kCountry)
      .unique();
  o.field("unknown", &GeoRestriction::unknown,
          "What happens to addresses of no known country; without it deny with a whitelist and "
          "allow with a blacklist.");
  o.check(check_geo);
}

const Type& geo_type() {
  static const Object<GeoRestriction> type(
      "GeoRestriction", "Restricts content by the viewer's country.", geo_fields);
  return type;
}

const Type& optional_geo_type() {
  static const OptionalOf<GeoRestriction> type(geo_type());
  return type;
}

/// What the default behavior and the others share.
void behavior_fields(Object<CacheBehavior>& o) {
  o.field("targetOriginId", &CacheBehavior::target_origin_id,
          "The id of the origin or origin group that requests go to.")
      .required();
  o.field("viewerProtocolPolicy", &CacheBehavior::viewer_protocol_policy,
          "What viewers get that use HTTP: content, a redirect to HTTPS, or 403.")
      .required();
  o.field("allowedMethods", &CacheBehavior::allowed_methods,
          "Methods that go to the origin; `[ALL]` passes any. Others get 405.")
      .format(kMethod)
      .items(1)
      .unique()
      .default_text("[GET, HEAD]");
  static const TextChoice cacheable({"GET", "HEAD", "OPTIONS"});
  static const ListOf<std::string> cacheable_list(cacheable);
  o.field("cachedMethods", &CacheBehavior::cached_methods, cacheable_list,
          "Methods whose responses are cached.")
      .items(1)
      .unique()
      .default_text("[GET, HEAD]");
  o.field("profile", &CacheBehavior::profile,
          "Makes two behaviors of this one: short-lived playlists and long-lived segments; see "
          "Streaming profiles.");
  o.field("compress", &CacheBehavior::compress,
          "Whether the edge compresses what it caches, in the encodings that the cache policy "
          "enables.");
  o.field("cachePolicy", &CacheBehavior::cache_policy,
          "The cache policy, by name, `Managed-` name or CloudFront's id.");
  o.field("originRequestPolicy", &CacheBehavior::origin_request_policy,
          "The origin request policy, by name, `Managed-` name or CloudFront's id.");
  o.field("responseHeadersPolicy", &CacheBehavior::response_headers_policy,
          "The response headers policy, by name, `Managed-` name or CloudFront's id.");
  o.nest("restrictions", "BehaviorRestrictions",
         "Who may get this content; instead of the distribution's.", [](Object<CacheBehavior>& r) {
           r.field("geo", &CacheBehavior::geo, optional_geo_type(),
                   "Restricts content by the viewer's country.");
         });
  o.field("webAclRef", &CacheBehavior::web_acl,
          "The name of a `kind: WebACL` instead of the distribution's; `none` for no one.")
      .format(kResourceName);
  o.later("smoothStreaming", "false");
  for (const char* name : {"trustedKeyGroups",
                           "trustedSigners",
                           "auth",
                           "rules",
                           "rateLimit",
                           "functions",
                           "functionAssociations",
                           "lambdaFunctionAssociations",
                           "fieldLevelEncryptionId",
                           "realtimeLogConfig",
                           "grpc",
                           "forwardedValues",
                           "minTTL",
                           "defaultTTL",
                           "maxTTL",
                           "variants",
                           "experiment",
                           "spa",
                           "image",
                           "websocket"})
    o.later(name);
  o.check(check_behavior);
}

const Type& default_behavior_type() {
  static const Object<CacheBehavior> type(
      "DefaultCacheBehavior", "What happens to requests that no other behavior matches.",
      behavior_fields);
  return type;
}

const Type& behaviors_type() {
  static const Object<CacheBehavior> type(
      "CacheBehavior", "What happens to requests whose path matches.",
      [](Object<CacheBehavior>& o) {
        o.field("pathPattern", &CacheBehavior::path_pattern,
                "The paths that the behavior is for; `*` stands for any characters, `?` for one.")
            .required()
            .format(kPathPattern);
        behavior_fields(o);
      });
  static const ListOf<CacheBehavior> list(type);
  return list;
}

const Type& error_responses_type() {
  static const Object<CustomErrorResponse> type(
      "CustomErrorResponse", "What viewers get instead of an error of the origin or the edge.",
      [](Object<CustomErrorResponse>& o) {
        o.field("errorCode", &CustomErrorResponse::error_code, "The status code that is replaced.")
            .required()
            .one_of(kErrorCodes);
        std::vector<int> codes = kErrorCodes;
        codes.insert(codes.begin(), 200);
        o.field("responseCode", &CustomErrorResponse::response_code,
                "The status code that the viewer gets; without it `errorCode`.")
            .one_of(codes);
        o.field(
             "responsePagePath", &CustomErrorResponse::response_page_path,
             "The path of the page that the viewer gets, fetched by the behavior that matches it.")
            .format(kPagePath);
        o.whole("inlineBody", std::make_unique<InlineBodyType>(),
                "The page itself, which needs no origin: text, or a file of the repository.");
        o.field("errorCachingMinTTL", &CustomErrorResponse::error_caching_min_ttl,
                "How long the error is cached at least.");
        o.check(check_error_response);
      });
  static const ListOf<CustomErrorResponse> list(type);
  return list;
}

const Type& certificate_type() {
  static const Object<ViewerCertificate> type(
      "ViewerCertificate", "The certificate and the TLS versions that viewers get.",
      [](Object<ViewerCertificate>& o) {
        o.field("certificateRef", &ViewerCertificate::certificate_ref,
                "The name of a `kind: Certificate`; without it the edge makes a self-signed one.")
            .format(kResourceName);
        o.field("minimumProtocolVersion", &ViewerCertificate::minimum_protocol_version,
                "CloudFront's security policy: the lowest TLS version and the ciphers.");
        o.later("sslSupportMethod", "sni-only");
        o.later("acmCertificateArn");
        o.later("iamCertificateId");
      });
  return type;
}

const Type& stale_type() {
  static const Object<Stale> type(
      "Stale", "When expired content is served (RFC 5861).", [](Object<Stale>& o) {
        o.field("whileRevalidate", &Stale::while_revalidate,
                "How long after its expiry content is served while one request renews it.");
        o.field("ifError", &Stale::if_error,
                "How long after its expiry content is served when the origin fails.");
      });
  return type;
}

const Type& compression_rules_type() {
  static const Object<CompressionRule> type(
      "CompressionRule", "How hard responses of some types are compressed.",
      [](Object<CompressionRule>& o) {
        o.field("types", &CompressionRule::types,
                "The media types that the rule is for; `text/*` stands for every subtype.")
            .required()
            .items(1)
            .format(kMediaType)
            .unique();
        o.field("gzipLevel", &CompressionRule::gzip_level, "zlib's level.").range(1, 9);
        o.field("brotliQuality", &CompressionRule::brotli_quality, "Brotli's quality.")
            .range(0, 11);
        o.field("zstdLevel", &CompressionRule::zstd_level, "Zstandard's level.").range(1, 19);
      });
  static const ListOf<CompressionRule> list(type);
  return list;
}

const Type& compression_type() {
  static const Object<Compression> type(
      "Compression", "What is compressed where a behavior says `compress: true`, and how hard.",
      [](Object<Compression>& o) {
        o.field("compressibleTypes", &Compression::compressible_types,
                "The media types that are compressed, instead of CloudFront's 46.")
            .format(kMediaType)
            .unique();
        o.field("rules", &Compression::rules, compression_rules_type(),
                "Levels by media type; the first rule for a type counts.");
      });
  return type;
}

void spec_fields(Object<Distribution>& o) {
  o.field("enabled", &Distribution::enabled,
          "Whether the distribution serves; its names answer 503 when not.");
  o.field("comment", &Distribution::comment, "For people.").max_length(1024);
  o.field("aliases", &Distribution::aliases,
          "Host names that viewers use: names, `*.example.com`, IP literals, and `*` for what no "
          "other distribution claims.")
      .format(kAlias);
  o.field(
      "httpVersion", &Distribution::http_version,
      "What viewers may use beside HTTP/1.1: HTTP/2, HTTP/3 (over QUIC, advertised by Alt-Svc), "
      "or both.");
  o.field("earlyData", &Distribution::early_data,
          "Whether requests with safe methods may come in the early data of an HTTP/3 connection "
          "(0-RTT), "
          "which saves a round trip. Origins see `Early-Data: 1` and may answer 425; other methods "
          "get 425 "
          "from the edge.");
  o.field("ipv6", &Distribution::ipv6, "Whether viewers may use IPv6.");
  o.field("defaultRootObject", &Distribution::default_root_object,
          "What `/` stands for, such as `index.html`.")
      .format(kRootObject);
  o.field("compat", &Distribution::compat,
          "Whose status codes and header words the edge uses where they differ.");
  o.field("viewerCertificate", &Distribution::viewer_certificate, certificate_type(),
          "The certificate and the TLS versions that viewers get.");
  o.field("origins", &Distribution::origins, "Where content comes from.").required().items(1);
  o.field("originGroups", &Distribution::origin_groups,
          "Origins of which the next one answers when one fails.");
  o.nest("restrictions", "Restrictions", "Who may get content.", [](Object<Distribution>& r) {
    r.field("geo", &Distribution::geo, geo_type(), "Restricts content by the viewer's country.");
  });
  o.field("webAclRef", &Distribution::web_acl,
          "The name of a `kind: WebACL` whose rules every request has to pass, cached or not.")
      .format(kResourceName);
  o.field("defaultCacheBehavior", &Distribution::default_cache_behavior, default_behavior_type(),
          "What happens to requests that no other behavior matches.")
      .required();
  o.field("cacheBehaviors", &Distribution::cache_behaviors, behaviors_type(),
          "What happens to requests by path; the first that matches counts.");
  o.field("customErrorResponses", &Distribution::custom_error_responses, error_responses_type(),
          "What viewers get instead of errors.");
  o.field("compression", &Distribution::compression, compression_type(),
          "What is compressed where a behavior says so, and how hard.");
  o.field("stale", &Distribution::stale, stale_type(), "When expired content is served.");
  o.field("rollout", &Distribution::rollout, rollout_type(),
          "How a commit that changes the distribution goes live.");
  o.later("staging", "false");
  for (const char* name : {"edgeSelector", "cacheTags", "logging", "slo", "priceClass",
                           "continuousDeploymentPolicy", "indexDocuments", "tenant", "viewerMtls",
                           "maxOfflineServe", "anycastIpList", "prune", "suspend"})
    o.later(name);
  o.check(check_distribution);
}

}  // namespace

const ObjectType& distribution_table() {
  static const Object<Distribution> table(
      "Distribution", "Host names, origins, and what happens to requests by path.",
      [](Object<Distribution>& o) {
        envelope(o, "Distribution", Labels::Yes);
        o.nest("spec", "DistributionSpec", "CloudFront's DistributionConfig.", spec_fields);
      });
  return table;
}

}  // namespace headgate::schema
