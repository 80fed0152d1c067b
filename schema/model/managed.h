// SPDX-License-Identifier: MIT
// CloudFront's managed policies, compiled in: by `Managed-Name` or by CloudFront's id.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schema/model/policy.h"

namespace headgate::schema {

/// Null when `reference` is neither a `Managed-Name` nor an id of CloudFront's. The same pointer
/// each time. Source: AWS, "Use managed cache policies" and its siblings.
std::shared_ptr<const CachePolicy> find_managed_cache_policy(const std::string& reference);
std::shared_ptr<const OriginRequestPolicy> find_managed_origin_request_policy(
    const std::string& reference);
std::shared_ptr<const ResponseHeadersPolicy> find_managed_response_headers_policy(
    const std::string& reference);

/// Their `Managed-` names, for hints and the reference.
std::vector<std::string> managed_cache_policy_names();
std::vector<std::string> managed_origin_request_policy_names();
std::vector<std::string> managed_response_headers_policy_names();

/// Name and id of each, as a table.
std::string managed_policies_markdown();

}  // namespace headgate::schema
