// SPDX-License-Identifier: MIT
// A strategic merge: a resource and what an overlay says otherwise.
#pragma once

#include "schema/table/decoder.h"
#include "schema/yaml/node.h"

namespace headgate::schema {

/// The key of a directive: `$patch: delete`, `replace` or (of a document) `add`.
inline constexpr const char* kDirective = "$patch";

/// The directive of a map; empty: none.
std::string_view directive_of(const Node& node);
/// Takes the directive away.
void remove_directive(Node& node);

/// Lays `patch` over `base`: maps are merged, null takes a field away; lists whose items have a
/// name (`id`, `name`, `pathPattern`, `errorCode`, `header`) are merged item by item, new ones at
/// the end; other lists and values are replaced. In a map, `$patch: replace` keeps nothing of it,
/// and
/// `$patch: delete` takes it away, which is for items of lists, too; `- $patch: replace` in a list
/// keeps nothing of the list. What comes from `patch` keeps its marks. Reports what the patch takes
/// away although it is not there, and items without the name.
/// Source: Kubernetes, "Strategic Merge Patch".
void merge(Node& base, const Node& patch, Decoder& decoder);

}  // namespace headgate::schema
