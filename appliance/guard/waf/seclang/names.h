// SPDX-License-Identifier: MIT
// The names that SecLang has for what rules read and for how they look at it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace headgate::guard::waf {

/// What a rule reads: one value, or values by name.
enum class Collection : std::uint8_t {
  // By name.
  Args,
  ArgsNames,
  ArgsGet,
  ArgsGetNames,
  ArgsPost,
  ArgsPostNames,
  RequestCookies,
  RequestCookiesNames,
  RequestHeaders,
  RequestHeadersNames,
  ResponseHeaders,
  ResponseHeadersNames,
  Files,
  FilesNames,
  MultipartPartHeaders,
  MatchedVars,
  MatchedVarsNames,
  Tx,
  Ip,
  Global,
  Geo,
  Rule,  ///< in macros alone: rule.id, rule.msg, rule.severity
  // One value.
  Xml,            ///< XML:/*: all text of the document
  XmlAttributes,  ///< XML://@*: one value for each attribute
  RequestMethod,
  RequestProtocol,
  RequestLine,
  RequestUri,
  RequestUriRaw,
  RequestFilename,
  RequestBasename,
  QueryString,
  RequestBody,
  RequestBodyLength,
  RemoteAddr,
  UniqueId,
  Duration,  ///< milliseconds since the request began
  ArgsCombinedSize,
  FilesCombinedSize,
  ReqbodyProcessor,
  ReqbodyError,
  ReqbodyErrorMsg,
  InboundDataError,
  UrlencodedError,
  MultipartStrictError,
  MultipartUnmatchedBoundary,
  MatchedVar,
  MatchedVarName,
  ResponseStatus,
  ResponseProtocol,
  ResponseBody,
  ResponseContentType,
  ResponseContentLength,
  kCount,
};

/// By SecLang's name, in any letter case. XML is not here: what it means is in its selector.
std::optional<Collection> find_collection(std::string_view name);
std::string_view seclang_name(Collection collection);
/// Whether values of it have names.
bool by_name(Collection collection);

/// How a rule looks at a value.
enum class OperatorKind : std::uint8_t {
  Unconditional,  ///< SecAction, @unconditionalMatch
  NoMatch,        ///< @noMatch, @rbl where no list is configured
  Rx,
  Pm,
  PmFromFile,
  Contains,
  Within,
  StrEq,
  BeginsWith,
  EndsWith,
  Eq,
  Ne,
  Lt,
  Le,
  Gt,
  Ge,
  IpMatch,
  DetectSqli,
  DetectXss,
  ValidateByteRange,
  ValidateUrlEncoding,
  ValidateUtf8Encoding,
  GeoLookup,
  Rbl,
};

std::optional<OperatorKind> find_operator(std::string_view name);

}  // namespace headgate::guard::waf
