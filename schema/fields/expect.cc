// SPDX-License-Identifier: MIT
// Fields of `kind: Expect`: requests and what must come of them.
#include "schema/fields/choices.h"
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"

namespace headgate::schema {
namespace {

void request_fields(Object<ExpectCase::Request>& o) {
  using Request = ExpectCase::Request;
  o.field("method", &Request::method, "The request's method.").format(kMethod);
  o.field("url", &Request::url, "The absolute URL, which says host, protocol, path and query.")
      .required()
      .format(kUrl);
  o.field("headers", &Request::headers, "Headers of the request.")
      .keys(kHeaderName)
      .format(kHeaderValue);
  o.field("country", &Request::country, "The viewer's country, instead of looking the address up.")
      .format(kCountry);
  o.field("ip", &Request::ip, "The viewer's address.").format(kIpAddress);
  o.field("body", &Request::body, "The request's body, for web ACLs.");
  o.field("at", &Request::at,
          "When the request comes, for all that depends on the time; now, when left out.");
}

void expected_fields(Object<ExpectCase::Expected>& o) {
  using Expected = ExpectCase::Expected;
  o.field("status", &Expected::status, "The status code of an answer that the edge makes itself.")
      .range(100, 599);
  o.field("reason", &Expected::reason, "Why the edge refuses, such as `geo` or `method`.");
  o.field("rule", &Expected::rule, "The rule of a web ACL that refuses or challenges the request.")
      .format(kResourceName);
  o.field("matchedRules", &Expected::matched_rules,
          "All rules of the web ACL that match, in their order: those that count, too.");
  o.field("labels", &Expected::labels, "All labels that the web ACL sets, in any order.");
  o.field("distribution", &Expected::distribution, "The distribution that answers.")
      .format(kResourceName);
  o.field("behavior", &Expected::behavior,
          "The path pattern of the behavior that matches; `*` is the default one.")
      .format(kPathPattern);
  o.field("originId", &Expected::origin_id, "The origin or origin group that the request goes to.")
      .format(kResourceName);
  o.field("headers", &Expected::headers, "Headers of an answer that the edge makes itself.")
      .keys(kLowerHeaderName);
  o.nest("cacheKey", "ExpectedCacheKey", "What is in the cache key.", [](Object<Expected>& k) {
    k.field("host", &Expected::key_host, "The Host that goes to the origin, with its port.");
    k.field("path", &Expected::key_path, "The path in its canonical form.");
    k.field("device", &Expected::key_device, "The class of device, such as `mobile`.");
    k.field("query", &Expected::query, "All query strings of the key.");
    k.field("headers", &Expected::key_headers, "All headers of the key.").keys(kLowerHeaderName);
    k.field("cookies", &Expected::cookies, "All cookies of the key.");
  });
  o.field("ttl", &Expected::ttl, "How long a 200 without Cache-Control and Expires stays fresh.");
  o.field("cached", &Expected::cached, "Whether the cache is used at all.");
  o.field("certificate", &Expected::certificate,
          "What viewers make of the certificate for this host at that time.");
}

const Type& cases_type() {
  static const Object<ExpectCase::Request> request("ExpectRequest", "A request.", request_fields);
  static const Object<ExpectCase::Expected> expected(
      "Expected", "What must come of it; what is left out is not checked.", expected_fields);
  static const Object<ExpectCase> one(
      "ExpectCase", "One request and what must come of it.", [](Object<ExpectCase>& o) {
        o.field("request", &ExpectCase::request, request, "The request.").required();
        o.field("expect", &ExpectCase::expected, expected, "What must come of it.").required();
        o.check([](ExpectCase& c, const Node& node, Decoder& decoder) {
          c.line = static_cast<int>(node.mark.line);
          const Node* expect = node.find("expect");
          if (expect != nullptr && expect->is_map() && expect->children.empty())
            decoder.error(Code::Combination, expect->mark,
                          "the case expects nothing, so it could not fail");
        });
      });
  static const ListOf<ExpectCase> list(one);
  return list;
}

}  // namespace

const ObjectType& expect_table() {
  static const Object<Expect> table(
      "Expect", "Requests and what must come of them; a commit that fails one is never active.",
      [](Object<Expect>& o) {
        envelope(o, "Expect", Labels::No);
        o.nest("spec", "ExpectSpec", "The cases.", [](Object<Expect>& s) {
          s.field("distribution", &Expect::distribution,
                  "The distribution that the cases are about.")
              .required()
              .format(kResourceName);
          s.field("cases", &Expect::cases, cases_type(), "Requests and what must come of them.")
              .required()
              .items(1);
        });
        o.check(
            [](Expect& expect, const Node&, Decoder& decoder) { expect.file = decoder.file(); });
      });
  return table;
}

}  // namespace headgate::schema
