// SPDX-License-Identifier: MIT
// What policies must keep to; run by their tables after decoding.
#pragma once

#include "schema/model/policy.h"
#include "schema/table/decoder.h"

namespace headgate::schema {

void check_language(Normalize::Language& language, const Node& node, Decoder& decoder);
void check_selector(Selector& selector, const Node& node, Decoder& decoder);
void check_cache_policy(CachePolicy& policy, const Node& spec, Decoder& decoder);
void check_origin_request_policy(OriginRequestPolicy& policy, const Node& spec, Decoder& decoder);
void check_cors(CorsRule& cors, const Node& node, Decoder& decoder);
void check_custom_header(CustomHeader& header, const Node& node, Decoder& decoder);
void check_response_headers_policy(ResponseHeadersPolicy& policy, const Node& spec,
                                   Decoder& decoder);

}  // namespace headgate::schema
