// SPDX-License-Identifier: MIT
// Fields of cache policies and origin request policies.
#include "schema/validate/policy.h"

#include "schema/fields/choices.h"
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"

namespace headgate::schema {
namespace {

/// One collection of a request: which of its members take part.
Object<Selector> selector(const char* name, const char* doc, const Type& behaviors,
                          const Format& items) {
  return Object<Selector>(name, doc, [&](Object<Selector>& o) {
    o.field("behavior", &Selector::behavior, behaviors, "Which of them take part.").required();
    o.field("items", &Selector::items, "The names that `behavior` speaks of.")
        .format(items)
        .unique();
    o.check(check_selector);
  });
}

const Type& language_type() {
  static const Object<Normalize::Language> type(
      "NormalizeLanguage", "Which languages there are.", [](Object<Normalize::Language>& o) {
        o.field("supported", &Normalize::Language::supported,
                "The languages that the origin has, by tag: `en`, `pt-BR`.")
            .required()
            .items(1, 64)
            .format(kLanguageTag)
            .unique();
        o.field("default", &Normalize::Language::otherwise,
                "The one for viewers who accept none of them; the first without it.")
            .format(kLanguageTag);
        o.check(check_language);
      });
  static const OptionalOf<Normalize::Language> optional(type);
  return optional;
}

const Type& normalize_type() {
  static const Object<Normalize> type(
      "Normalize", "Makes requests that mean the same the same, before the cache key is made.",
      [](Object<Normalize>& o) {
        o.field("dropQuery", &Normalize::drop_query,
                "Query strings that mean nothing: neither in the key nor sent to the origin; `*` "
                "stands for any characters.")
            .items(0, 64)
            .format(kQueryName)
            .unique();
        o.field("sortQuery", &Normalize::sort_query,
                "Whether query strings are put in the order of their names.");
        o.field("lowercaseHost", &Normalize::lowercase_host,
                "Whether Host is in lower case in the key and to the origin.");
        o.field("language", &Normalize::language, language_type(),
                "Puts the best of some languages in the key and into Accept-Language (RFC 4647 "
                "look-up).");
        o.field("device", &Normalize::device,
                "Puts desktop, mobile, tablet or smarttv in the key, by User-Agent, and "
                "CloudFront-Is-…-Viewer into requests to the origin.");
      });
  return type;
}

void key_fields(Object<CacheKeyParameters>& o) {
  static const Object<Selector> headers = selector("CacheKeyHeaders", "Headers in the cache key.",
                                                   cache_header_selections(), kHeaderName);
  static const Object<Selector> cookies =
      selector("CacheKeyCookies", "Cookies in the cache key.", all_selections(), kCookieName);
  static const Object<Selector> queries = selector(
      "CacheKeyQueryStrings", "Query strings in the cache key.", all_selections(), kQueryName);
  o.field("enableAcceptEncodingGzip", &CacheKeyParameters::enable_accept_encoding_gzip,
          "Whether gzip variants are kept apart and asked for.");
  o.field("enableAcceptEncodingBrotli", &CacheKeyParameters::enable_accept_encoding_brotli,
          "Whether Brotli variants are kept apart and asked for.");
  o.field("enableAcceptEncodingZstd", &CacheKeyParameters::enable_accept_encoding_zstd,
          "Whether Zstandard variants are kept apart and asked for; an extension.");
  o.field("headers", &CacheKeyParameters::headers, headers,
          "Which headers are in the cache key and go to the origin.");
  o.field("cookies", &CacheKeyParameters::cookies, cookies,
          "Which cookies are in the cache key and go to the origin.");
  o.field("queryStrings", &CacheKeyParameters::query_strings, queries,
          "Which query strings are in the cache key and go to the origin.");
  o.field("normalize", &CacheKeyParameters::normalize, normalize_type(),
          "Makes requests that mean the same the same; an extension.");
}

void cache_policy_fields(Object<CachePolicy>& o) {
  static const Object<CacheKeyParameters> parameters(
      "ParametersInCacheKeyAndForwardedToOrigin",
      "What makes two requests ask for the same object.", key_fields);
  o.field("comment", &CachePolicy::comment, "For people.").max_length(1024);
  o.field("minTTL", &CachePolicy::min_ttl, "How long objects stay cached at least.");
  o.field("defaultTTL", &CachePolicy::default_ttl,
          "How long objects stay cached when the origin does not say.");
  o.field("maxTTL", &CachePolicy::max_ttl, "How long objects stay cached at most.");
  o.field("cacheSetCookie", &CachePolicy::cache_set_cookie,
          "Whether responses with Set-Cookie are cached when they allow it; an extension.");
  o.field("parametersInCacheKeyAndForwardedToOrigin", &CachePolicy::parameters, parameters,
          "What is in the cache key; it also goes to the origin.");
  o.check(check_cache_policy);
}

void origin_request_policy_fields(Object<OriginRequestPolicy>& o) {
  static const Object<Selector> headers =
      selector("ForwardedHeaders", "Headers that go to the origin.", forwarded_header_selections(),
               kHeaderName);
  static const Object<Selector> cookies =
      selector("ForwardedCookies", "Cookies that go to the origin.", all_selections(), kCookieName);
  static const Object<Selector> queries =
      selector("ForwardedQueryStrings", "Query strings that go to the origin.", all_selections(),
               kQueryName);
  o.field("comment", &OriginRequestPolicy::comment, "For people.").max_length(1024);
  o.field("headers", &OriginRequestPolicy::headers, headers, "Which headers go to the origin.");
  o.field("cookies", &OriginRequestPolicy::cookies, cookies, "Which cookies go to the origin.");
  o.field("queryStrings", &OriginRequestPolicy::query_strings, queries,
          "Which query strings go to the origin.");
  o.check(check_origin_request_policy);
}

}  // namespace

const ObjectType& cache_policy_table() {
  static const Object<CachePolicy> table(
      "CachePolicy", "What is in the cache key, and how long objects stay cached.",
      [](Object<CachePolicy>& o) {
        envelope(o, "CachePolicy", Labels::No);
        o.nest("spec", "CachePolicySpec", "CloudFront's CachePolicyConfig.", cache_policy_fields);
      });
  return table;
}

const ObjectType& origin_request_policy_table() {
  static const Object<OriginRequestPolicy> table(
      "OriginRequestPolicy", "What goes to the origin without being in the cache key.",
      [](Object<OriginRequestPolicy>& o) {
        envelope(o, "OriginRequestPolicy", Labels::No);
        o.nest("spec", "OriginRequestPolicySpec", "CloudFront's OriginRequestPolicyConfig.",
               origin_request_policy_fields);
      });
  return table;
}

}  // namespace headgate::schema
