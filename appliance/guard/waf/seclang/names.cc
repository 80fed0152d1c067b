// SPDX-License-Identifier: MIT
// The tables of names.
#include "appliance/guard/waf/seclang/names.h"

#include <array>
#include <utility>

#include "appliance/http/field.h"

namespace headgate::guard::waf {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, static_cast<std::size_t>(Collection::kCount)> kNames = {
    "ARGS",
    "ARGS_NAMES",
    "ARGS_GET",
    "ARGS_GET_NAMES",
    "ARGS_POST",
    "ARGS_POST_NAMES",
    "REQUEST_COOKIES",
    "REQUEST_COOKIES_NAMES",
    "REQUEST_HEADERS",
    "REQUEST_HEADERS_NAMES",
    "RESPONSE_HEADERS",
    "RESPONSE_HEADERS_NAMES",
    "FILES",
    "FILES_NAMES",
    "MULTIPART_PART_HEADERS",
    "MATCHED_VARS",
    "MATCHED_VARS_NAMES",
    "TX",
    "IP",
    "GLOBAL",
    "GEO",
    "RULE",
    "XML:/*",
    "XML://@*",
    "REQUEST_METHOD",
    "REQUEST_PROTOCOL",
    "REQUEST_LINE",
    "REQUEST_URI",
    "REQUEST_URI_RAW",
    "REQUEST_FILENAME",
    "REQUEST_BASENAME",
    "QUERY_STRING",
    "REQUEST_BODY",
    "REQUEST_BODY_LENGTH",
    "REMOTE_ADDR",
    "UNIQUE_ID",
    "DURATION",
    "ARGS_COMBINED_SIZE",
    "FILES_COMBINED_SIZE",
    "REQBODY_PROCESSOR",
    "REQBODY_ERROR",
    "REQBODY_ERROR_MSG",
    "INBOUND_DATA_ERROR",
    "URLENCODED_ERROR",
    "MULTIPART_STRICT_ERROR",
    "MULTIPART_UNMATCHED_BOUNDARY",
    "MATCHED_VAR",
    "MATCHED_VAR_NAME",
    "RESPONSE_STATUS",
    "RESPONSE_PROTOCOL",
    "RESPONSE_BODY",
    "RESPONSE_CONTENT_TYPE",
    "RESPONSE_CONTENT_LENGTH"};

constexpr std::pair<std::string_view, OperatorKind> kOperators[] = {
    {"unconditionalMatch", OperatorKind::Unconditional},
    {"noMatch", OperatorKind::NoMatch},
    {"rx", OperatorKind::Rx},
    {"pm", OperatorKind::Pm},
    {"pmFromFile", OperatorKind::PmFromFile},
    {"pmf", OperatorKind::PmFromFile},
    {"contains", OperatorKind::Contains},
    {"within", OperatorKind::Within},
    {"streq", OperatorKind::StrEq},
    {"beginsWith", OperatorKind::BeginsWith},
    {"endsWith", OperatorKind::EndsWith},
    {"eq", OperatorKind::Eq},
    {"ne", OperatorKind::Ne},
    {"lt", OperatorKind::Lt},
    {"le", OperatorKind::Le},
    {"gt", OperatorKind::Gt},
    {"ge", OperatorKind::Ge},
    {"ipMatch", OperatorKind::IpMatch},
    {"detectSQLi", OperatorKind::DetectSqli},
    {"detectXSS", OperatorKind::DetectXss},
    {"validateByteRange", OperatorKind::ValidateByteRange},
    {"validateUrlEncoding", OperatorKind::ValidateUrlEncoding},
    {"validateUtf8Encoding", OperatorKind::ValidateUtf8Encoding},
    {"geoLookup", OperatorKind::GeoLookup},
    {"rbl", OperatorKind::Rbl},
};

}  // namespace

std::optional<Collection> find_collection(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (http::equals_ignoring_case(name, kNames[i])) return static_cast<Collection>(i);
  }
  return std::nullopt;
}

std::string_view seclang_name(Collection collection) {
  return kNames[static_cast<std::size_t>(collection)];
}

bool by_name(Collection collection) { return collection <= Collection::Rule; }

std::optional<OperatorKind> find_operator(std::string_view name) {
  for (const auto& [known, kind] : kOperators) {
    if (http::equals_ignoring_case(name, known)) return kind;
  }
  return std::nullopt;
}

}  // namespace headgate::guard::waf
