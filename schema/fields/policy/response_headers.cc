// SPDX-License-Identifier: MIT
// Fields of `kind: ResponseHeadersPolicy`: CORS, custom and removed headers, Server-Timing.
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"
#include "schema/fields/policy/security_headers.h"
#include "schema/validate/policy.h"

namespace headgate::schema {
namespace {

void cors_fields(Object<CorsRule>& o) {
  static const TextChoice methods(
      {"GET", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "HEAD", "ALL"});
  static const ListOf<std::string> method_list(methods);
  o.field(
       "accessControlAllowOrigins", &CorsRule::allow_origins,
       "Origins that may read responses: `*`, `https://shop.example.com`, `https://*.example.com`.")
      .required()
      .items(1)
      .format(kNotEmpty)
      .unique();
  o.field("accessControlAllowMethods", &CorsRule::allow_methods, method_list,
          "Methods that other origins may use.")
      .required()
      .items(1)
      .unique();
  o.field("accessControlAllowHeaders", &CorsRule::allow_headers,
          "Headers that other origins may send; `*` is any.")
      .format(kHeaderName)
      .unique();
  o.field("accessControlExposeHeaders", &CorsRule::expose_headers,
          "Headers that scripts of other origins may read.")
      .format(kHeaderName)
      .unique();
  o.field("accessControlAllowCredentials", &CorsRule::allow_credentials,
          "Whether scripts of other origins may send cookies.");
  o.field("accessControlMaxAgeSec", &CorsRule::max_age,
          "How long browsers may cache the answer to a preflight.");
  o.field("originOverride", &CorsRule::origin_override,
          "Whether these headers replace the origin's.");
  o.check(check_cors);
}

const Type& custom_headers_type() {
  static const Object<CustomHeader> type(
      "CustomHeader", "A header that the edge adds to responses.", [](Object<CustomHeader>& o) {
        o.field("header", &CustomHeader::header, "Its name.").required().format(kHeaderName);
        o.field("value", &CustomHeader::value, "Its value.").required().format(kHeaderValue);
        o.field("override", &CustomHeader::override_origin, "Whether it replaces the origin's.");
        o.check(check_custom_header);
      });
  static const ListOf<CustomHeader> list(type);
  return list;
}

void spec_fields(Object<ResponseHeadersPolicy>& o) {
  static const Object<CorsRule> cors("Cors", "Cross-origin resource sharing.", cors_fields);
  static const OptionalOf<CorsRule> optional_cors(cors);
  static const Object<ServerTiming> timing(
      "ServerTimingHeaders", "The Server-Timing header.", [](Object<ServerTiming>& t) {
        t.field("enabled", &ServerTiming::enabled, "Whether responses carry Server-Timing.")
            .required();
        t.field("samplingRate", &ServerTiming::sampling_rate,
                "The share of responses that carry it, in percent.")
            .range(0, 100);
      });
  o.field("comment", &ResponseHeadersPolicy::comment, "For people.").max_length(1024);
  o.field("cors", &ResponseHeadersPolicy::cors, optional_cors, "Cross-origin resource sharing.");
  o.field("securityHeaders", &ResponseHeadersPolicy::security_headers, security_headers_type(),
          "Headers that protect viewers.");
  o.field("customHeaders", &ResponseHeadersPolicy::custom_headers, custom_headers_type(),
          "Headers that the edge adds.");
  o.field("removeHeaders", &ResponseHeadersPolicy::remove_headers,
          "Names of headers that the edge removes.")
      .format(kHeaderName);
  o.field("serverTimingHeaders", &ResponseHeadersPolicy::server_timing, timing,
          "The Server-Timing header.");
  o.check(check_response_headers_policy);
}

}  // namespace

const ObjectType& response_headers_policy_table() {
  static const Object<ResponseHeadersPolicy> table(
      "ResponseHeadersPolicy",
      "What the edge adds to and removes from responses, also cached ones.",
      [](Object<ResponseHeadersPolicy>& o) {
        envelope(o, "ResponseHeadersPolicy", Labels::No);
        o.nest("spec", "ResponseHeadersPolicySpec", "CloudFront's ResponseHeadersPolicyConfig.",
               spec_fields);
      });
  return table;
}

}  // namespace headgate::schema
