// SPDX-License-Identifier: MIT
// What differs between two resources in canonical JSON, by field, with the items of lists matched
// by what names them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace headgate::reconciler {

using Json = nlohmann::ordered_json;

/// One field that is not the same.
struct FieldChange {
  enum class Kind { Added, Removed, Changed, Reordered };
  Kind kind = Kind::Changed;
  std::string path;  ///< spec.origins[api-eu].custom.originReadTimeout
  Json before;       ///< null when added; the names in their order when reordered
  Json after;        ///< null when removed
  /// The values are markers that stand for secrets: they may be compared, not shown.
  bool secret = false;
};

/// Lists of maps are matched by `id`, `name`, `pathPattern`, `errorCode` or `header`, when every
/// item has one of its own; what is left in another order is said so. Other lists of maps are
/// matched by position, lists of plain values are one field. Threads: pure.
std::vector<FieldChange> compare(const Json& before, const Json& after);

}  // namespace headgate::reconciler
