// SPDX-License-Identifier: MIT
// The text transformations that rules apply before they look: pure functions from octets to octets,
// with the semantics of ModSecurity's functions of the same name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headgate::guard::waf {

/// SecLang's and AWS's names in one list; where both have one, they mean the same here.
enum class Transformation : std::uint8_t {
  UrlDecode,         ///< %hh and '+'; what is not hexadecimal stays
  UrlDecodeUni,      ///< and %uhhhh: the ASCII character that is most like it, else its lower octet
  UrlEncode,         ///< all but [*0-9A-Za-z]; ' ' becomes '+'
  HtmlEntityDecode,  ///< &#xhh; &#ddd; &quot; &amp; &lt; &gt; &nbsp;, semicolon or not
  Lowercase,         ///< ASCII
  Uppercase,         ///< ASCII
  CompressWhiteSpace,  ///< runs of white space become one ' '
  RemoveWhiteSpace,    ///< and the octets of U+00A0
  CmdLine,             ///< undoes what shells ignore: \ " ' ^ go, separators become one ' '
  JsDecode,            ///< \uhhhh \xhh \ooo \n …
  CssDecode,           ///< \hhhhhh and \c
  EscapeSeqDecode,     ///< ANSI C: \n \xhh \ooo …
  Base64Decode,        ///< up to the first octet that is not base64
  Base64DecodeExt,     ///< leaving out what is not base64
  Base64Encode,
  HexDecode,
  HexEncode,
  SqlHexDecode,      ///< 0x414243 becomes ABC
  NormalizePath,     ///< // and /./ and /x/../
  NormalizePathWin,  ///< the same after '\' became '/'
  RemoveNulls,
  ReplaceNulls,        ///< by ' '
  ReplaceComments,     ///< each /* … */ becomes ' ', an open one too
  RemoveComments,      ///< /* … */, <!-- … -->, and all behind -- or #
  RemoveCommentsChar,  ///< only the marks of comments
  Utf8ToUnicode,       ///< characters beyond ASCII become %uhhhh
  Trim,
  TrimLeft,
  TrimRight,
  Length,  ///< the number of octets, in decimal
  Md5,     ///< the 16 octets
  Sha1,    ///< the 20 octets
  kCount,
};

/// By SecLang's name ("urlDecodeUni", "normalisePath"), in any letter case; null for an unknown
/// one. "none" is not a transformation.
std::optional<Transformation> find_transformation(std::string_view seclang_name);

/// SecLang's name of it.
std::string_view seclang_name(Transformation transformation);

/// Which kinds of octets a text has, one bit a kind: enough to tell that a transformation would
/// change nothing, without looking at the text again.
using OctetKinds = std::uint32_t;
OctetKinds octet_kinds(std::string_view text);

/// Whether `transformation` may change a text that has these kinds of octets.
bool may_change(Transformation transformation, OctetKinds kinds);

/// Writes the transformed `in` to `out` and returns true; returns false, `out` being unspecified,
/// if nothing would change. `out` must not alias `in`. Linear time and space.
/// Threads: pure.
bool apply(Transformation transformation, std::string_view in, std::string& out);

}  // namespace headgate::guard::waf
