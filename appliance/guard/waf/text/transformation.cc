// SPDX-License-Identifier: MIT
// The table of transformations: name, function, and which kinds of octets it acts on.
#include "appliance/guard/waf/text/transformation.h"

#include <array>

#include "appliance/guard/waf/text/functions.h"
#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {
namespace {

enum Kind : OctetKinds {
  kPercent = 1 << 0,
  kPlus = 1 << 1,
  kUpper = 1 << 2,
  kLower = 1 << 3,
  kAmpersand = 1 << 4,
  kBackslash = 1 << 5,
  kSpace = 1 << 6,
  kOtherSpace = 1 << 7,
  kSlash = 1 << 8,
  kDot = 1 << 9,
  kHigh = 1 << 10,
  kNul = 1 << 11,
  kShell = 1 << 12,    // what cmd_line drops or turns into a space, besides white space and '\'
  kComment = 1 << 13,  // '-', '#', '*', '<'
  kZero = 1 << 14,
  kAlways = 1u << 31,  // set for every text
};

struct Row {
  std::string_view name;
  void (*function)(std::string_view, std::string&);
  OctetKinds acts_on;
};

constexpr std::size_t kCount = static_cast<std::size_t>(Transformation::kCount);

// In the order of the enumeration.
constexpr std::array<Row, kCount> kRows = {{
    {"urlDecode", text::url_decode, kPercent | kPlus},
    {"urlDecodeUni", text::url_decode_uni, kPercent | kPlus},
    {"urlEncode", text::url_encode, kAlways},
    {"htmlEntityDecode", text::html_entity_decode, kAmpersand},
    {"lowercase", text::lowercase, kUpper},
    {"uppercase", text::uppercase, kLower},
    {"compressWhitespace", text::compress_white_space, kSpace | kOtherSpace},
    {"removeWhitespace", text::remove_white_space, kSpace | kOtherSpace | kHigh},
    {"cmdLine", text::cmd_line, kUpper | kBackslash | kSpace | kOtherSpace | kShell},
    {"jsDecode", text::js_decode, kBackslash},
    {"cssDecode", text::css_decode, kBackslash},
    {"escapeSeqDecode", text::escape_seq_decode, kBackslash},
    {"base64Decode", text::base64_decode, kAlways},
    {"base64DecodeExt", text::base64_decode_ext, kAlways},
    {"base64Encode", text::base64_encode, kAlways},
    {"hexDecode", text::hex_decode, kAlways},
    {"hexEncode", text::hex_encode, kAlways},
    {"sqlHexDecode", text::sql_hex_decode, kZero},
    {"normalizePath", text::normalize_path, kSlash | kDot},
    {"normalizePathWin", text::normalize_path_win, kSlash | kDot | kBackslash},
    {"removeNulls", text::remove_nulls, kNul},
    {"replaceNulls", text::replace_nulls, kNul},
    {"replaceComments", text::replace_comments, kSlash},
    {"removeComments", text::remove_comments, kSlash | kComment},
    {"removeCommentsChar", text::remove_comments_char, kSlash | kComment},
    {"utf8toUnicode", text::utf8_to_unicode, kHigh},
    {"trim", text::trim, kSpace | kOtherSpace},
    {"trimLeft", text::trim_left, kSpace | kOtherSpace},
    {"trimRight", text::trim_right, kSpace | kOtherSpace},
    {"length", text::length, kAlways},
    {"md5", text::md5, kAlways},
    {"sha1", text::sha1, kAlways},
}};

constexpr std::array<OctetKinds, 256> kKinds = [] {
  std::array<OctetKinds, 256> kinds{};
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const char c = static_cast<char>(i);
    if (text::is_upper(c)) kinds[i] |= kUpper;
    if (text::is_alpha(c) && !text::is_upper(c)) kinds[i] |= kLower;
    if (text::is_space(c)) kinds[i] |= c == ' ' ? kSpace : kOtherSpace;
    if (i >= 0x80) kinds[i] |= kHigh;
  }
  kinds['%'] |= kPercent;
  kinds['+'] |= kPlus;
  kinds['&'] |= kAmpersand;
  kinds['\\'] |= kBackslash;
  kinds['/'] |= kSlash;
  kinds['.'] |= kDot;
  kinds[0] |= kNul;
  kinds['0'] |= kZero;
  for (const char c : {'"', '\'', '^', ',', ';'}) kinds[static_cast<unsigned char>(c)] |= kShell;
  for (const char c : {'-', '#', '*', '<'}) kinds[static_cast<unsigned char>(c)] |= kComment;
  return kinds;
}();

const Row& row(Transformation transformation) {
  return kRows[static_cast<std::size_t>(transformation)];
}

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (text::to_lower(a[i]) != text::to_lower(b[i])) return false;
  }
  return true;
}

}  // namespace

std::optional<Transformation> find_transformation(std::string_view name) {
  if (same_name(name, "normalisePath")) return Transformation::NormalizePath;
  if (same_name(name, "normalisePathWin")) return Transformation::NormalizePathWin;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (same_name(name, kRows[i].name)) return static_cast<Transformation>(i);
  }
  return std::nullopt;
}

std::string_view seclang_name(Transformation transformation) { return row(transformation).name; }

OctetKinds octet_kinds(std::string_view text) {
  OctetKinds kinds = kAlways;
  for (const char c : text) kinds |= kKinds[static_cast<unsigned char>(c)];
  return kinds;
}

bool may_change(Transformation transformation, OctetKinds kinds) {
  return (row(transformation).acts_on & kinds) != 0;
}

bool apply(Transformation transformation, std::string_view in, std::string& out) {
  out.clear();
  row(transformation).function(in, out);
  return out != in;
}

}  // namespace headgate::guard::waf
