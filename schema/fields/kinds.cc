// SPDX-License-Identifier: MIT
// The list of kinds.
#include "schema/fields/kinds.h"

#include "schema/fields/examples.h"

namespace headgate::schema {
namespace {

template <class T, const ObjectType& (*table)()>
AnyResource decode_as(const Node& document, Decoder& decoder) {
  auto resource = std::make_shared<T>();
  table().decode(document, resource.get(), {}, decoder);
  return std::shared_ptr<const T>(std::move(resource));
}

template <class T, const ObjectType& (*table)()>
Kind kind(const char* name, const char* example, bool in_repository = true) {
  return {name, table().doc().c_str(), example, in_repository, table, decode_as<T, table>};
}

}  // namespace

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> list = {
      kind<Distribution, distribution_table>("Distribution", kDistributionExample),
      kind<CachePolicy, cache_policy_table>("CachePolicy", kCachePolicyExample),
      kind<OriginRequestPolicy, origin_request_policy_table>("OriginRequestPolicy",
                                                             kOriginRequestPolicyExample),
      kind<ResponseHeadersPolicy, response_headers_policy_table>("ResponseHeadersPolicy",
                                                                 kResponseHeadersPolicyExample),
      kind<Certificate, certificate_table>("Certificate", kCertificateExample),
      kind<WebAcl, web_acl_table>("WebACL", kWebAclExample),
      kind<Invalidation, invalidation_table>("Invalidation", kInvalidationExample),
      kind<InvalidationSchedule, invalidation_schedule_table>("InvalidationSchedule",
                                                              kInvalidationScheduleExample),
      kind<WarmList, warm_list_table>("WarmList", kWarmListExample),
      kind<Expect, expect_table>("Expect", kExpectExample),
      kind<Signers, signers_table>("Signers", kSignersExample),
      kind<Fleet, fleet_table>("Fleet", kFleetExample),
      kind<Edge, edge_table>("Edge", kEdgeExample, false),
  };
  return list;
}

const Kind* find_kind(std::string_view name) {
  for (const Kind& kind : kinds())
    if (name == kind.name) return &kind;
  return nullptr;
}

const std::vector<std::string>& later_kinds() {
  static const std::vector<std::string> list = {"KeyGroup",
                                                "PublicKey",
                                                "Function",
                                                "KeyValueStore",
                                                "RealtimeLogConfig",
                                                "ContentBundle",
                                                "Rollout",
                                                "OriginAccessControl",
                                                "ContinuousDeploymentPolicy",
                                                "FieldLevelEncryption"};
  return list;
}

}  // namespace headgate::schema
