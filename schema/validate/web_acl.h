// SPDX-License-Identifier: MIT
// Checks within one web ACL: forms of its texts, rules that contradict each other or cannot match.
#pragma once

#include "schema/model/web_acl.h"
#include "schema/table/decoder.h"
#include "schema/table/type.h"

namespace headgate::schema {

extern const Format kWafLabel;       ///< "admin:outsider"
extern const Format kWafLabelMatch;  ///< the same, or a namespace "admin:"
extern const Format kWafTarget;      ///< "query", "arg:q", "header:referer", …
extern const Format kWafRateKey;     ///< "ip", "header:x-api-key", "label:bot:", …
extern const Format kWafRuleIds;     ///< "942100", "942100-942199", "tag:attack-sqli"
extern const Format kWafPointer;     ///< RFC 6901
extern const Format kWafDomain;      ///< "search.msn.com": what a bot's names end in; lower-cased

/// Reports a regular expression that cannot be compiled, at the character that is wrong.
bool check_waf_regex(const std::string& pattern, const Node& node, Decoder& decoder);

/// A matcher that can never match what its field and transformations give.
void check_waf_match(const WafFieldMatch& match, const Node& node, Decoder& decoder);

void check_web_acl(WebAcl& acl, const Node& spec, Decoder& decoder);

}  // namespace headgate::schema
