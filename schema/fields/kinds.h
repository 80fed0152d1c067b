// SPDX-License-Identifier: MIT
// The kinds of resources: which there are, their tables, and how a document becomes one of them.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "schema/model/model.h"
#include "schema/table/object.h"

namespace headgate::schema {

using AnyResource = std::variant<
    std::shared_ptr<const Distribution>, std::shared_ptr<const CachePolicy>,
    std::shared_ptr<const OriginRequestPolicy>, std::shared_ptr<const ResponseHeadersPolicy>,
    std::shared_ptr<const Certificate>, std::shared_ptr<const Invalidation>,
    std::shared_ptr<const InvalidationSchedule>, std::shared_ptr<const WarmList>,
    std::shared_ptr<const WebAcl>, std::shared_ptr<const Expect>, std::shared_ptr<const Signers>,
    std::shared_ptr<const Fleet>, std::shared_ptr<const Edge>, std::shared_ptr<const SopsFile>>;

/// A kind of resource. `table` describes the whole document, `apiVersion` to `spec`.
struct Kind {
  const char* name;
  const char* doc;
  const char* example;  ///< a whole document that loads
  bool in_repository;   ///< false: only in the machine's own file
  const ObjectType& (*table)();
  AnyResource (*decode)(const Node& document, Decoder& decoder);
};

/// In the order of the reference.
const std::vector<Kind>& kinds();

/// Null when there is none.
const Kind* find_kind(std::string_view name);

/// Kinds of later versions, refused by name.
const std::vector<std::string>& later_kinds();

inline constexpr const char* kApiVersion = "headgate/v1";

/// The tables, one a file of this folder.
const ObjectType& distribution_table();
const ObjectType& cache_policy_table();
const ObjectType& origin_request_policy_table();
const ObjectType& response_headers_policy_table();
const ObjectType& certificate_table();
const ObjectType& web_acl_table();
const ObjectType& invalidation_table();
const ObjectType& invalidation_schedule_table();
const ObjectType& warm_list_table();
const ObjectType& expect_table();
const ObjectType& signers_table();
const ObjectType& fleet_table();
const ObjectType& edge_table();

}  // namespace headgate::schema
