// SPDX-License-Identifier: MIT
// The six security headers of CloudFront's SecurityHeadersConfig.
#include "schema/fields/policy/security_headers.h"

#include "schema/table/composite.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {

// As they are written in YAML; what the model keeps is the header's name and whole value.
struct XssProtection {
  bool protection = true;
  bool mode_block = false;
  std::string report_uri;
  bool override_origin = true;
};
struct NamedValue {
  std::string value;
  bool override_origin = true;
};
struct ContentTypeOptions {
  bool override_origin = true;
};
struct StrictTransportSecurity {
  Duration max_age = Duration::zero();
  bool include_subdomains = false;
  bool preload = false;
  bool override_origin = true;
};
struct SecurityHeaders {
  std::optional<StrictTransportSecurity> strict_transport_security;
  std::optional<ContentTypeOptions> content_type_options;
  std::optional<NamedValue> frame_options;
  std::optional<NamedValue> referrer_policy;
  std::optional<NamedValue> content_security_policy;
  std::optional<XssProtection> xss_protection;
};

namespace {

constexpr const char* kOverrideDoc = "Whether it replaces the origin's.";

const TextChoice& frame_choices() {
  static const TextChoice type({"DENY", "SAMEORIGIN"});
  return type;
}

const TextChoice& referrer_choices() {
  static const TextChoice type({"no-referrer", "no-referrer-when-downgrade", "origin",
                                "origin-when-cross-origin", "same-origin", "strict-origin",
                                "strict-origin-when-cross-origin", "unsafe-url"});
  return type;
}

/// An object of one value and `override`.
Object<NamedValue> named_value(const char* name, const char* doc, const char* field,
                               const Type& type) {
  return Object<NamedValue>(name, doc, [&](Object<NamedValue>& o) {
    FieldBuilder value = o.field(field, &NamedValue::value, type, "The header's value.");
    value.required();
    if (&type == &type_of<std::string>()) value.format(kHeaderValue).max_length(1783);
    o.field("override", &NamedValue::override_origin, kOverrideDoc);
  });
}

void hsts_fields(Object<StrictTransportSecurity>& o) {
  o.field("accessControlMaxAgeSec", &StrictTransportSecurity::max_age,
          "How long browsers use only HTTPS (`max-age`).")
      .required();
  o.field("includeSubdomains", &StrictTransportSecurity::include_subdomains,
          "Whether it holds for all names below.");
  o.field("preload", &StrictTransportSecurity::preload, "Whether browsers may list the name.");
  o.field("override", &StrictTransportSecurity::override_origin, kOverrideDoc);
}

void xss_fields(Object<XssProtection>& o) {
  o.field("protection", &XssProtection::protection, "Whether the browser's filter is on.")
      .required();
  o.field("modeBlock", &XssProtection::mode_block,
          "Whether the browser blocks the page (`mode=block`).");
  o.field("reportUri", &XssProtection::report_uri, "Where the browser reports to.")
      .format(kHeaderValue);
  o.field("override", &XssProtection::override_origin, kOverrideDoc);
  o.check([](XssProtection& xss, const Node& node, Decoder& decoder) {
    if (xss.mode_block && !xss.report_uri.empty())
      decoder.error(Code::Combination, node.locate("reportUri").mark,
                    "`modeBlock` and `reportUri` exclude each other");
  });
}

void table_fields(Object<SecurityHeaders>& o) {
  static const Object<StrictTransportSecurity> hsts("StrictTransportSecurity", "RFC 6797.",
                                                    hsts_fields);
  static const Object<ContentTypeOptions> options(
      "ContentTypeOptions", "`X-Content-Type-Options: nosniff`.",
      [](Object<ContentTypeOptions>& c) {
        c.field("override", &ContentTypeOptions::override_origin, kOverrideDoc);
      });
  static const Object<NamedValue> frame =
      named_value("FrameOptions", "`X-Frame-Options`.", "frameOption", frame_choices());
  static const Object<NamedValue> referrer =
      named_value("ReferrerPolicy", "`Referrer-Policy`.", "referrerPolicy", referrer_choices());
  static const Object<NamedValue> csp =
      named_value("ContentSecurityPolicy", "`Content-Security-Policy`.", "contentSecurityPolicy",
                  type_of<std::string>());
  static const Object<XssProtection> xss("XssProtection", "`X-XSS-Protection`.", xss_fields);
  static const OptionalOf<StrictTransportSecurity> optional_hsts(hsts);
  static const OptionalOf<ContentTypeOptions> optional_options(options);
  static const OptionalOf<NamedValue> optional_frame(frame), optional_referrer(referrer),
      optional_csp(csp);
  static const OptionalOf<XssProtection> optional_xss(xss);
  o.field("strictTransportSecurity", &SecurityHeaders::strict_transport_security, optional_hsts,
          "`Strict-Transport-Security`.");
  o.field("contentTypeOptions", &SecurityHeaders::content_type_options, optional_options,
          "`X-Content-Type-Options: nosniff`.");
  o.field("frameOptions", &SecurityHeaders::frame_options, optional_frame, "`X-Frame-Options`.");
  o.field("referrerPolicy", &SecurityHeaders::referrer_policy, optional_referrer,
          "`Referrer-Policy`.");
  o.field("contentSecurityPolicy", &SecurityHeaders::content_security_policy, optional_csp,
          "`Content-Security-Policy`.");
  o.field("xssProtection", &SecurityHeaders::xss_protection, optional_xss, "`X-XSS-Protection`.");
}

const Object<SecurityHeaders>& written_table() {
  static const Object<SecurityHeaders> table("SecurityHeaders",
                                             "CloudFront's SecurityHeadersConfig.", table_fields);
  return table;
}

std::string hsts_value(const StrictTransportSecurity& hsts) {
  return fmt::format("max-age={}{}{}", hsts.max_age.count() / 1000,
                     hsts.include_subdomains ? "; includeSubDomains" : "",
                     hsts.preload ? "; preload" : "");
}

std::string xss_value(const XssProtection& xss) {
  if (!xss.protection) return "0";
  if (xss.mode_block) return "1; mode=block";
  return xss.report_uri.empty() ? "1" : fmt::format("1; report={}", xss.report_uri);
}

std::vector<SecurityHeader> ready(const SecurityHeaders& written) {
  std::vector<SecurityHeader> out;
  if (const auto& h = written.strict_transport_security)
    out.push_back({"Strict-Transport-Security", hsts_value(*h), h->override_origin});
  if (const auto& h = written.content_type_options)
    out.push_back({"X-Content-Type-Options", "nosniff", h->override_origin});
  if (const auto& h = written.frame_options)
    out.push_back({"X-Frame-Options", h->value, h->override_origin});
  if (const auto& h = written.referrer_policy)
    out.push_back({"Referrer-Policy", h->value, h->override_origin});
  if (const auto& h = written.content_security_policy)
    out.push_back({"Content-Security-Policy", h->value, h->override_origin});
  if (const auto& h = written.xss_protection)
    out.push_back({"X-XSS-Protection", xss_value(*h), h->override_origin});
  return out;
}

class SecurityHeadersType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    SecurityHeaders written;
    bool good = written_table().decode(node, &written, constraint, decoder);
    *static_cast<std::vector<SecurityHeader>*>(out) = ready(written);
    return good;
  }
  /// By header name: the structured form is not kept.
  Json encode(const void* value, const EncodeOptions&) const override {
    Json out = Json::object();
    for (const SecurityHeader& header : *static_cast<const std::vector<SecurityHeader>*>(value))
      out[header.header] = {{"value", header.value}, {"override", header.override_origin}};
    return out;
  }
  Json json_schema(const Constraint& constraint, SchemaWriter& writer) const override {
    return written_table().json_schema(constraint, writer);
  }
  std::string label(const Constraint& constraint) const override {
    return written_table().label(constraint);
  }
  const ObjectType* object() const override { return &written_table(); }
};

}  // namespace

const Type& security_headers_type() {
  static const SecurityHeadersType type;
  return type;
}

}  // namespace headgate::schema
