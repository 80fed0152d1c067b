// SPDX-License-Identifier: MIT
// The names of a web ACL's enumerations.
#pragma once

#include "schema/fields/choices.h"
#include "schema/model/web_acl.h"

namespace headgate::schema {

HG_SCHEMA_CHOICES(WafTransform, ({{WafTransform::Base64Decode, "base64_decode"},
                                  {WafTransform::Base64DecodeExt, "base64_decode_ext"},
                                  {WafTransform::CmdLine, "cmd_line"},
                                  {WafTransform::CompressWhitespace, "compress_white_space"},
                                  {WafTransform::CssDecode, "css_decode"},
                                  {WafTransform::EscapeSeqDecode, "escape_seq_decode"},
                                  {WafTransform::HexDecode, "hex_decode"},
                                  {WafTransform::HtmlEntityDecode, "html_entity_decode"},
                                  {WafTransform::JsDecode, "js_decode"},
                                  {WafTransform::Lowercase, "lowercase"},
                                  {WafTransform::Md5, "md5"},
                                  {WafTransform::NormalizePath, "normalize_path"},
                                  {WafTransform::NormalizePathWin, "normalize_path_win"},
                                  {WafTransform::RemoveNulls, "remove_nulls"},
                                  {WafTransform::RemoveWhitespace, "remove_white_space"},
                                  {WafTransform::ReplaceComments, "replace_comments"},
                                  {WafTransform::ReplaceNulls, "replace_nulls"},
                                  {WafTransform::Sha1, "sha1"},
                                  {WafTransform::SqlHexDecode, "sql_hex_decode"},
                                  {WafTransform::Uppercase, "uppercase"},
                                  {WafTransform::UrlDecode, "url_decode"},
                                  {WafTransform::UrlDecodeUni, "url_decode_uni"},
                                  {WafTransform::Utf8ToUnicode, "utf8_to_unicode"}}));

HG_SCHEMA_CHOICES(WafOversize, ({{WafOversize::Continue, "continue"},
                                 {WafOversize::Match, "match"},
                                 {WafOversize::NoMatch, "no_match"}}));

HG_SCHEMA_CHOICES(
    WafPart, ({{WafPart::All, "all"}, {WafPart::Names, "names"}, {WafPart::Values, "values"}}));

HG_SCHEMA_CHOICES(WafInvalidJson, ({{WafInvalidJson::EvaluateAsString, "evaluate_as_string"},
                                    {WafInvalidJson::Match, "match"},
                                    {WafInvalidJson::NoMatch, "no_match"}}));

HG_SCHEMA_CHOICES(WafFallback,
                  ({{WafFallback::Match, "match"}, {WafFallback::NoMatch, "no_match"}}));

HG_SCHEMA_CHOICES(WafForwardedIp::Position, ({{WafForwardedIp::Position::First, "first"},
                                              {WafForwardedIp::Position::Last, "last"},
                                              {WafForwardedIp::Position::Any, "any"}}));

}  // namespace headgate::schema
