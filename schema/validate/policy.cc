// SPDX-License-Identifier: MIT
// Checks of the three kinds of policies.
#include "schema/validate/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kQuota = 10;

void check_forwarded(const Selector& headers, const Node& node, Decoder& decoder) {
  for (std::size_t i = 0; i < headers.items.size(); ++i) {
    if (headers.behavior == Selection::AllExcept) continue;
    std::string reason = forbidden_header(headers.items[i], HeaderUse::Forwarded);
    if (reason.empty()) continue;
    decoder.error(Code::ForbiddenHeader, node.locate(fmt::format("items.{}", i)).mark,
                  fmt::format("the header {} cannot be selected", in_quotes(headers.items[i])),
                  reason);
  }
}

void forbid(const std::string& name, HeaderUse use, std::string_view what, Mark mark,
            Decoder& decoder) {
  std::string reason = forbidden_header(name, use);
  if (reason.empty()) return;
  decoder.error(Code::ForbiddenHeader, mark,
                fmt::format("the header {} cannot be {}", in_quotes(name), what), reason);
}

}  // namespace

void check_language(Normalize::Language& language, const Node& node, Decoder& decoder) {
  const auto& supported = language.supported;
  if (supported.empty()) return;  // reported
  if (node.find("default") == nullptr) {
    language.otherwise = supported.front();
  } else if (!language.otherwise.empty() &&
             std::find(supported.begin(), supported.end(), language.otherwise) == supported.end()) {
    decoder.error(Code::Combination, node.locate("default").mark,
                  fmt::format("{} is not one of `supported`", in_quotes(language.otherwise)),
                  fmt::format("supported: {}", join(supported)));
  }
}

void check_selector(Selector& selector, const Node& node, Decoder& decoder) {
  const Node* behavior = node.find("behavior");
  if (behavior == nullptr) return;  // reported as missing
  bool takes_items = selector.behavior == Selection::Whitelist ||
                     selector.behavior == Selection::AllExcept ||
                     selector.behavior == Selection::AllViewerAndWhitelistCloudFront;
  const Node* items = node.find("items");
  bool written = items != nullptr && !items->children.empty();
  if (takes_items && !written)
    decoder.error(
        Code::Combination, behavior->mark,
        fmt::format("`behavior: {}` needs `items`", escape_control(behavior->text.substr(0, 40))));
  // After an unknown behavior the default stands here, which would make a second error of the
  // first.
  bool known = selector.behavior != Selection::None || behavior->text == "none";
  if (!takes_items && written && known)
    decoder.error(Code::Combination, items->key_mark,
                  fmt::format("`items` has no meaning with `behavior: {}`",
                              escape_control(behavior->text.substr(0, 40))));
  if (selector.behavior == Selection::AllViewerAndWhitelistCloudFront)
    for (std::size_t i = 0; i < selector.items.size(); ++i)
      if (!selector.items[i].empty() && !to_lower(selector.items[i]).starts_with("cloudfront-"))
        decoder.error(
            Code::Combination, node.locate(fmt::format("items.{}", i)).mark,
            fmt::format("{} does not start with CloudFront-", in_quotes(selector.items[i])),
            "with allViewerAndWhitelistCloudFront the viewer's own headers all go to the origin");
  if (selector.items.size() > kQuota)
    decoder.warning(
        Code::CloudFrontLimit, items == nullptr ? node.mark : items->key_mark,
        fmt::format("{} items: CloudFront's quota is {}", selector.items.size(), kQuota));
}

void check_cache_policy(CachePolicy& policy, const Node& spec, Decoder& decoder) {
  // CloudFront's defaults move with their neighbours: a minTTL of two days makes that the default.
  if (spec.find("maxTTL") == nullptr)
    policy.max_ttl =
        std::max({policy.max_ttl, policy.min_ttl,
                  spec.find("defaultTTL") != nullptr ? policy.default_ttl : Duration::zero()});
  if (spec.find("defaultTTL") == nullptr)
    policy.default_ttl = std::min(std::max(policy.default_ttl, policy.min_ttl),
                                  std::max(policy.max_ttl, policy.min_ttl));
  auto order = [&](const char* low, Duration low_value, const char* high, Duration high_value) {
    if (low_value <= high_value) return true;
    decoder.error(Code::TtlOrder, spec.locate(low).mark,
                  fmt::format("`{}` is {}, more than `{}`, {}", low, format_duration(low_value),
                              high, format_duration(high_value)),
                  "minTTL ≤ defaultTTL ≤ maxTTL");
    return false;
  };
  if (order("minTTL", policy.min_ttl, "maxTTL", policy.max_ttl) &&
      order("minTTL", policy.min_ttl, "defaultTTL", policy.default_ttl))
    order("defaultTTL", policy.default_ttl, "maxTTL", policy.max_ttl);
  const Node& parameters = spec.locate("parametersInCacheKeyAndForwardedToOrigin");
  check_forwarded(policy.parameters.headers, parameters.locate("headers"), decoder);
  for (std::size_t i = 0; i < policy.parameters.headers.items.size(); ++i)
    if (to_lower(policy.parameters.headers.items[i]) == "accept-encoding")
      decoder.error(Code::ForbiddenHeader,
                    parameters.locate(fmt::format("headers.items.{}", i)).mark,
                    "the header \"Accept-Encoding\" cannot be selected",
                    "use enableAcceptEncodingGzip and enableAcceptEncodingBrotli");
}

void check_origin_request_policy(OriginRequestPolicy& policy, const Node& spec, Decoder& decoder) {
  check_forwarded(policy.headers, spec.locate("headers"), decoder);
}

void check_cors(CorsRule& cors, const Node& node, Decoder& decoder) {
  auto any = [](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), "*") != list.end();
  };
  if (cors.allow_credentials && (any(cors.allow_origins) || any(cors.allow_headers)))
    decoder.error(Code::Combination, node.locate("accessControlAllowCredentials").mark,
                  "browsers refuse credentials together with `*`",
                  "list the origins and headers that may send credentials");
  bool all = std::find(cors.allow_methods.begin(), cors.allow_methods.end(), "ALL") !=
             cors.allow_methods.end();
  if (all && cors.allow_methods.size() > 1)
    decoder.error(Code::Combination, node.locate("accessControlAllowMethods").mark,
                  "`ALL` stands alone");
  for (std::size_t i = 0; i < cors.allow_origins.size(); ++i) {
    const std::string& origin = cors.allow_origins[i];
    std::size_t scheme = origin.find("://");
    bool path = scheme != std::string::npos && origin.find('/', scheme + 3) != std::string::npos;
    bool good =
        std::all_of(origin.begin(), origin.end(), [](char c) { return c > 0x20 && c < 0x7F; });
    if (good && !path && origin.find(',') == std::string::npos) continue;
    decoder.error(Code::Malformed, node.locate(fmt::format("accessControlAllowOrigins.{}", i)).mark,
                  fmt::format("{} is not an origin", in_quotes(origin)),
                  "scheme and host without a path: https://shop.example.com");
  }
}

void check_custom_header(CustomHeader& header, const Node& node, Decoder& decoder) {
  forbid(header.header, HeaderUse::ToViewer, "added to responses", node.locate("header").mark,
         decoder);
}

void check_response_headers_policy(ResponseHeadersPolicy& policy, const Node& spec,
                                   Decoder& decoder) {
  std::set<std::string> added;
  for (std::size_t i = 0; i < policy.custom_headers.size(); ++i) {
    const std::string& name = policy.custom_headers[i].header;
    if (name.empty() || added.insert(to_lower(name)).second) continue;
    decoder.error(Code::DuplicateItem, spec.locate(fmt::format("customHeaders.{}.header", i)).mark,
                  fmt::format("`customHeaders` names {} twice", in_quotes(name)));
  }
  if (policy.custom_headers.size() > kQuota)
    decoder.warning(Code::CloudFrontLimit, spec.locate("customHeaders").key_mark,
                    fmt::format("{} custom headers: CloudFront's quota is {}",
                                policy.custom_headers.size(), kQuota));
  std::set<std::string> removed;
  for (std::size_t i = 0; i < policy.remove_headers.size(); ++i) {
    const std::string& name = policy.remove_headers[i];
    Mark mark = spec.locate(fmt::format("removeHeaders.{}", i)).mark;
    forbid(name, HeaderUse::ToViewer, "removed from responses", mark, decoder);
    if (!name.empty() && !removed.insert(to_lower(name)).second)
      decoder.error(Code::DuplicateItem, mark,
                    fmt::format("`removeHeaders` names {} twice", in_quotes(name)));
  }
}

}  // namespace headgate::schema
