// SPDX-License-Identifier: MIT
// Fields of origins and origin groups: CloudFront's Origin, CustomOriginConfig and OriginGroup.
#include "schema/fields/distribution/origin.h"

#include <set>

#include "schema/fields/distribution/files.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

using std::chrono::seconds;

constexpr std::size_t kCloudFrontHeaderValue = 1783;

void custom_fields(Object<CustomOrigin>& o) {
  o.field("originProtocolPolicy", &CustomOrigin::origin_protocol_policy,
          "Which protocol the edge uses to connect to the origin.");
  o.field("httpPort", &CustomOrigin::http_port, "The HTTP port that the origin listens on.")
      .range(1, 65535);
  o.field("httpsPort", &CustomOrigin::https_port, "The HTTPS port that the origin listens on.")
      .range(1, 65535);
  o.field("originSslProtocols", &CustomOrigin::origin_ssl_protocols,
          "The TLS versions that the edge may use to connect to the origin over HTTPS.")
      .items(1)
      .unique()
      .default_text("[TLSv1.2, TLSv1.3]");
  o.field("originReadTimeout", &CustomOrigin::origin_read_timeout,
          "How long the edge waits for the first octet of a response, and between octets.")
      .range(seconds(1), seconds(120));
  o.field("originKeepaliveTimeout", &CustomOrigin::origin_keepalive_timeout,
          "How long the edge keeps an idle connection to the origin open.")
      .range(seconds(1), seconds(120));
  o.field("sni", &CustomOrigin::sni, "The name in the TLS handshake; without it `domainName`.")
      .format(kDomainName);
  o.field("hostHeader", &CustomOrigin::host_header,
          "The Host that is sent; without it by the origin request policy, else `domainName`.")
      .format(kHeaderValue);
  o.whole("caBundle", std::make_unique<CaBundleType>(),
          "File of the certificates (PEM) that the origin's certificate is verified with; without "
          "it the system's.");
  o.field("verify", &CustomOrigin::verify, "Whether the origin's certificate is verified.");
  o.later("ipAddressType");
  o.later("clientCertificateRef");
  o.later("originMtls");
}

/// `customHeaders: {X-Edge-Auth: {valueFrom: …}}`.
class OriginHeadersType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const override {
    if (!node.is_map()) {
      wrong_type(node, "a map of header names to values", decoder);
      return false;
    }
    auto& headers = *static_cast<std::vector<OriginCustomHeader>*>(out);
    headers.clear();
    std::set<std::string> seen;
    bool good = true;
    for (const Node& child : node.children)
      good = decode_header(child, headers, seen, decoder) && good;
    if (headers.size() > 10)
      decoder.warning(Code::CloudFrontLimit, node.key_mark,
                      fmt::format("{} custom headers: CloudFront's quota is 10", headers.size()));
    return good;
  }

  Json encode(const void* value, const EncodeOptions& options) const override {
    Json out = Json::object();
    for (const OriginCustomHeader& header :
         *static_cast<const std::vector<OriginCustomHeader>*>(value))
      out[header.name] = type_of<Secret>().encode(&header.value, options);
    return out;
  }

  Json json_schema(const Constraint&, SchemaWriter& writer) const override {
    return {{"type", "object"},
            {"propertyNames", {{"pattern", kHeaderName.pattern}}},
            {"additionalProperties", type_of<Secret>().json_schema({}, writer)}};
  }

  std::string label(const Constraint&) const override {
    return "map of header name to " + type_of<Secret>().label({});
  }

 private:
  static bool decode_header(const Node& child, std::vector<OriginCustomHeader>& headers,
                            std::set<std::string>& seen, Decoder& decoder) {
    OriginCustomHeader header;
    header.name = child.key;
    if (std::string expected = kHeaderName.check(header.name); !expected.empty()) {
      decoder.error(Code::Malformed, child.key_mark,
                    fmt::format("{} is not a header name: {}", in_quotes(child.key), expected));
      return false;
    }
    if (std::string reason = forbidden_header(header.name, HeaderUse::ToOrigin); !reason.empty()) {
      decoder.error(Code::ForbiddenHeader, child.key_mark,
                    fmt::format("the header {} cannot be added to requests to an origin",
                                in_quotes(child.key)),
                    reason);
      return false;
    }
    if (!seen.insert(to_lower(header.name)).second) {
      decoder.error(
          Code::DuplicateItem, child.key_mark,
          fmt::format("the header {} is given twice; names ignore case", in_quotes(child.key)));
      return false;
    }
    Constraint constraint;
    constraint.format = &kHeaderValue;
    constraint.max_length = kCloudFrontHeaderValue;
    if (!type_of<Secret>().decode(child, &header.value, constraint, decoder)) return false;
    headers.push_back(std::move(header));
    return true;
  }
};

const Type& origin_headers_type() {
  static const OriginHeadersType type;
  return type;
}

void check_origin(Origin& origin, const Node& node, Decoder& decoder) {
  if (origin.response_completion_timeout &&
      *origin.response_completion_timeout < origin.custom.origin_read_timeout)
    decoder.error(
        Code::Combination, node.locate("responseCompletionTimeout").mark,
        fmt::format("`responseCompletionTimeout` is {}, less than `originReadTimeout`, {}",
                    format_duration(*origin.response_completion_timeout),
                    format_duration(origin.custom.origin_read_timeout)));
}

const Type& custom_type() {
  static const Object<CustomOrigin> type(
      "CustomOrigin", "An origin that is a web server: CloudFront's CustomOriginConfig.",
      custom_fields);
  return type;
}

void origin_fields(Object<Origin>& o) {
  o.field("id", &Origin::id, "A unique identifier for the origin within the distribution.")
      .required()
      .format(kResourceName);
  o.field("domainName", &Origin::domain_name,
          "The host name or IP address of the origin, without port.")
      .required()
      .format(kDomainName);
  o.field("originPath", &Origin::origin_path,
          "A path that is put in front of the path of every request to the origin.")
      .format(kOriginPath);
  o.field("connectionAttempts", &Origin::connection_attempts,
          "How often the edge tries to connect to the origin.")
      .range(1, 3);
  o.field("connectionTimeout", &Origin::connection_timeout,
          "How long the edge waits for a connection to the origin.")
      .range(seconds(1), seconds(10));
  o.field("responseCompletionTimeout", &Origin::response_completion_timeout,
          "How long a whole response may take, at least `originReadTimeout`; without it there is "
          "no limit.")
      .at_least(1000);
  o.field("custom", &Origin::custom, custom_type(), "Ports, protocols and timeouts of the origin.");
  o.field(
      "customHeaders", &Origin::custom_headers, origin_headers_type(),
      "Headers that the edge adds to every request to the origin; they overwrite the viewer's.");
  for (const char* name : {"s3", "originAccessControl", "originShield", "healthCheck", "vpcOrigin"})
    o.later(name);
  o.check(check_origin);
}

void group_fields(Object<OriginGroup>& o) {
  o.field("id", &OriginGroup::id, "The identifier of the group, unique among origins and groups.")
      .required()
      .format(kResourceName);
  o.field("members", &OriginGroup::members, "Ids of origins in order of preference.")
      .required()
      .format(kResourceName)
      .items(2)
      .unique();
  static const Object<FailoverCriteria> criteria(
      "FailoverCriteria", "When the edge asks the next member.", [](Object<FailoverCriteria>& c) {
        c.field("statusCodes", &FailoverCriteria::status_codes,
                "Status codes of a response that make the edge ask the next member, beside "
                "connection errors and timeouts.")
            .one_of({400, 403, 404, 416, 429, 500, 502, 503, 504})
            .unique();
      });
  o.field("failoverCriteria", &OriginGroup::failover_criteria, criteria,
          "When the edge asks the next member.");
  static const Object<Breaker> breaker(
      "Breaker",
      "When a member counts as down: requests then go to the next one, or are answered by what is "
      "stale, without waiting for it.",
      [](Object<Breaker>& b) {
        b.field("failures", &Breaker::failures,
                "Exchanges in a row that have to fail: no response, or 500, 502, 503, 504. 0: a "
                "member never counts as down.")
            .range(0, 1000);
        b.field("within", &Breaker::within, "The time within which they have to fail.")
            .range(seconds(1), seconds(3600));
        b.field("probeEvery", &Breaker::probe_every,
                "How often a member that is down is asked whether it answers again.")
            .range(seconds(1), seconds(3600));
      });
  o.field("breaker", &OriginGroup::breaker, breaker, "When a member counts as down.");
  for (const char* name : {"policy", "selectionCriteria"}) o.later(name);
}

}  // namespace

const Type& origin_type() {
  static const Object<Origin> type("Origin", "Where content comes from.", origin_fields);
  return type;
}

const Type& origin_group_type() {
  static const Object<OriginGroup> type(
      "OriginGroup", "Origins of which the next one answers when one fails.", group_fields);
  return type;
}

}  // namespace headgate::schema
