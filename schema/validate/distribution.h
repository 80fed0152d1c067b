// SPDX-License-Identifier: MIT
// What a distribution's parts must keep to among themselves; run by its table after decoding.
#pragma once

#include "schema/model/distribution.h"
#include "schema/table/decoder.h"

namespace headgate::schema {

/// Nodes are those of the part itself; values that could not be decoded hold their defaults and are
/// passed over.
void check_geo(GeoRestriction& geo, const Node& node, Decoder& decoder);
void check_behavior(CacheBehavior& behavior, const Node& node, Decoder& decoder);
void check_error_response(CustomErrorResponse& response, const Node& node, Decoder& decoder);
void check_distribution(Distribution& distribution, const Node& spec, Decoder& decoder);

/// Whether every path that `later` matches is matched by `earlier` (CloudFront's path patterns; a
/// leading slash is optional). May miss cases that take several wildcards together, never claims
/// one that is not.
bool covers(std::string_view earlier, std::string_view later);

}  // namespace headgate::schema
