// SPDX-License-Identifier: MIT
// Resources as JSON, by their tables.
#include "schema/encode.h"

#include "schema/fields/kinds.h"
#include "schema/text.h"

namespace headgate::schema {
namespace {

template <class Map>
void put_map(Json& out, const char* kind, const Map& map, const EncodeOptions& options) {
  for (const auto& [name, resource] : map) out[kind][name] = to_json(*resource, options);
}

}  // namespace

Json to_json(const Distribution& resource, const EncodeOptions& options) {
  return distribution_table().encode(&resource, options);
}
Json to_json(const CachePolicy& resource, const EncodeOptions& options) {
  return cache_policy_table().encode(&resource, options);
}
Json to_json(const OriginRequestPolicy& resource, const EncodeOptions& options) {
  return origin_request_policy_table().encode(&resource, options);
}
Json to_json(const ResponseHeadersPolicy& resource, const EncodeOptions& options) {
  return response_headers_policy_table().encode(&resource, options);
}
Json to_json(const Certificate& resource, const EncodeOptions& options) {
  return certificate_table().encode(&resource, options);
}
Json to_json(const WebAcl& resource, const EncodeOptions& options) {
  return web_acl_table().encode(&resource, options);
}
Json to_json(const Invalidation& resource, const EncodeOptions& options) {
  return invalidation_table().encode(&resource, options);
}
Json to_json(const InvalidationSchedule& resource, const EncodeOptions& options) {
  return invalidation_schedule_table().encode(&resource, options);
}
Json to_json(const WarmList& resource, const EncodeOptions& options) {
  return warm_list_table().encode(&resource, options);
}
Json to_json(const Expect& resource, const EncodeOptions& options) {
  return expect_table().encode(&resource, options);
}
Json to_json(const Signers& resource, const EncodeOptions& options) {
  return signers_table().encode(&resource, options);
}
Json to_json(const Fleet& resource, const EncodeOptions& options) {
  return fleet_table().encode(&resource, options);
}
Json to_json(const Edge& resource, const EncodeOptions& options) {
  return edge_table().encode(&resource, options);
}

Json to_json(const Model& model, const EncodeOptions& options) {
  Json out = Json::object();
  put_map(out, "Distribution", model.distributions, options);
  put_map(out, "CachePolicy", model.cache_policies, options);
  put_map(out, "OriginRequestPolicy", model.origin_request_policies, options);
  put_map(out, "ResponseHeadersPolicy", model.response_headers_policies, options);
  put_map(out, "Certificate", model.certificates, options);
  put_map(out, "WebACL", model.web_acls, options);
  put_map(out, "Invalidation", model.invalidations, options);
  put_map(out, "InvalidationSchedule", model.invalidation_schedules, options);
  put_map(out, "WarmList", model.warm_lists, options);
  for (const auto& expect : model.expects) out["Expect"][expect->name] = to_json(*expect, options);
  // Enough to see that one has changed; what is encrypted is no secret.
  for (const auto& [name, secret] : model.secrets)
    out["Secret"][name] =
        Json{{"file", secret.file->file},
             {"encrypted", sha256_hex(secret.file->values[secret.value].text).substr(0, 8)}};
  if (model.signers) out["Signers"] = to_json(*model.signers, options);
  if (model.fleet) out["Fleet"] = to_json(*model.fleet, options);
  return out;
}

}  // namespace headgate::schema
