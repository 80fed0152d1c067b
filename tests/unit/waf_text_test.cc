// SPDX-License-Identifier: MIT
// Transformations, their chains, and the memo of what they made.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/text/memo.h"
#include "appliance/guard/waf/text/transformation.h"

namespace {

using namespace headgate::guard::waf;
using namespace std::string_view_literals;

std::string transformed(Transformation transformation, std::string_view in) {
  std::string out;
  const bool changed = apply(transformation, in, out);
  if (!changed) return std::string(in);
  CHECK(out != in);
  // What says that nothing can change must be right.
  CHECK(may_change(transformation, octet_kinds(in)));
  return out;
}

}  // namespace

TEST_CASE("percent-encoding is decoded once, and what is not hexadecimal stays") {
  const auto decode = [](auto in) { return transformed(Transformation::UrlDecode, in); };
  CHECK(decode("a%20b+c") == "a b c");
  CHECK(decode("%2541") == "%41");
  CHECK(decode("%zz%4") == "%zz%4");
  CHECK(decode("%00x"sv) == "\0x"sv);
  CHECK(decode("%u0041") == "%u0041");
}

TEST_CASE("url_decode_uni knows %uhhhh and makes full width characters ASCII") {
  const auto decode = [](auto in) { return transformed(Transformation::UrlDecodeUni, in); };
  CHECK(decode("%u0041%U0062") == "Ab");
  CHECK(decode("%uff1cscript%uff1e") == "<script>");
  CHECK(decode("%u2018%u201d%u00e9%u02b9%u2032%u1234") == "'\"e''4");
  CHECK(decode("%u12") == "%u12");
  CHECK(decode("%uzzzz%41") == "%uzzzzA");
  CHECK(decode("100%") == "100%");
}

TEST_CASE("HTML entities are decoded with and without a semicolon") {
  const auto decode = [](auto in) { return transformed(Transformation::HtmlEntityDecode, in); };
  CHECK(decode("&lt;b&gt") == "<b>");
  CHECK(decode("&#60;&#x3C&#X3c;") == "<<<");
  CHECK(decode("&quot;&AMP;&nbsp;") == "\"&\xa0");
  CHECK(decode("&unknown;&;&#;&#x;&") == "&unknown;&;&#;&#x;&");
  CHECK(decode("&#99999999999999999999999;") == "\xff");
}

TEST_CASE("escapes of JavaScript, CSS and C are undone") {
  const auto js = [](auto in) { return transformed(Transformation::JsDecode, in); };
  CHECK(js("\\u0061\\x62\\143\\n\\q\\") == "abc\nq\\");
  CHECK(js("\\uff1c") == "<");
  CHECK(js("\\777") ==
        "\x3f"
        "7");
  const auto css = [](auto in) { return transformed(Transformation::CssDecode, in); };
  CHECK(css("\\61 \\000062c\\\nd\\j\\") ==
        "ab"
        "cdj");
  CHECK(css("\\ff1c") == "<");
  CHECK(css("ja\\vascript") == "javascript");
  const auto c = [](auto in) { return transformed(Transformation::EscapeSeqDecode, in); };
  CHECK(c("\\x41\\102\\n\\q\\") == "AB\nq\\");
}

TEST_CASE("a command line is read as a shell would read it") {
  const auto command = [](auto in) { return transformed(Transformation::CmdLine, in); };
  CHECK(command("C^:\\\"Win\"dows,;\t X /c (dir)") == "c:windows x/c(dir)");
}

TEST_CASE("paths are normalised without leaving their root") {
  const auto path = [](auto in) { return transformed(Transformation::NormalizePath, in); };
  CHECK(path("/a//b/./c/../d") == "/a/b/d");
  CHECK(path("/../../etc/passwd") == "/etc/passwd");
  CHECK(path("../a/../../b") == "../../b");
  CHECK(path("/a/b/") == "/a/b/");
  CHECK(path("a/..") == "");
  CHECK(path("/..") == "/");
  CHECK(path("/.a/..b") == "/.a/..b");
  CHECK(path("plain") == "plain");
  CHECK(transformed(Transformation::NormalizePathWin, "\\a\\..\\b") == "/b");
}

TEST_CASE("white space, NUL octets and comments go") {
  CHECK(transformed(Transformation::CompressWhiteSpace, " a \t\n b") == " a b");
  CHECK(transformed(Transformation::RemoveWhiteSpace, "a\xc2\xa0 b\n") == "ab");
  CHECK(transformed(Transformation::RemoveNulls, "a\0b"sv) == "ab");
  CHECK(transformed(Transformation::ReplaceNulls, "a\0b"sv) == "a b");
  CHECK(transformed(Transformation::Trim, "\t a b \n") == "a b");
  CHECK(transformed(Transformation::ReplaceComments, "a/*x*/b/*y") == "a b ");
  CHECK(transformed(Transformation::RemoveComments, "a/*x*/b<!--y-->c--d") == "abc");
  CHECK(transformed(Transformation::RemoveCommentsChar, "a/*x*/b#c--d") == "axbcd");
}

TEST_CASE("encodings and digests") {
  CHECK(transformed(Transformation::Base64Decode, "SGVsbG8=") == "Hello");
  CHECK(transformed(Transformation::Base64Decode, "SGVs!bG8=") == "Hel");
  CHECK(transformed(Transformation::Base64DecodeExt, "SGVs!bG8=") == "Hello");
  CHECK(transformed(Transformation::Base64Encode, "Hello") == "SGVsbG8=");
  CHECK(transformed(Transformation::Base64Encode, "") == "");
  CHECK(transformed(Transformation::HexEncode,
                    "\xff"
                    "A") == "ff41");
  CHECK(transformed(Transformation::HexDecode, "ff4") == "\xff");
  CHECK(transformed(Transformation::SqlHexDecode, "a0x4142z0x") == "aABz0x");
  CHECK(transformed(Transformation::Length, "abc") == "3");
  CHECK(transformed(Transformation::Length, "") == "0");
  std::string hex;
  apply(Transformation::HexEncode, transformed(Transformation::Sha1, "abc"), hex);
  CHECK(hex == "a9993e364706816aba3e25717850c26c9cd0d89d");
  apply(Transformation::HexEncode, transformed(Transformation::Md5, ""), hex);
  CHECK(hex == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(transformed(Transformation::UrlEncode, "a b/\xff") == "a+b%2f%ff");
  CHECK(transformed(Transformation::Utf8ToUnicode, "a\xc3\xa9\xe2\x82\xac\xff") ==
        "a%u00e9%u20ac\xff");
  CHECK(transformed(Transformation::Utf8ToUnicode, "\xc0\xaf") == "%u002f");
}

TEST_CASE("no transformation changes a text of which may_change says that it cannot") {
  const std::vector<std::string_view> texts = {
      "",  "a",        "%41",  "+",  "A",   "&lt;", "\\x41", " ",    "  ", "\t",    "/",    "./a",
      ".", "\xc3\xa9", "\0"sv, "\"", "a,b", "-- ",  "#",     "0x41", "0",  "/*a*/", "<!--", "aGk="};
  for (std::size_t i = 0; i < static_cast<std::size_t>(Transformation::kCount); ++i) {
    const auto transformation = static_cast<Transformation>(i);
    CHECK(find_transformation(seclang_name(transformation)) == transformation);
    for (const std::string_view text : texts) {
      std::string out;
      if (apply(transformation, text, out))
        CHECK_MESSAGE(may_change(transformation, octet_kinds(text)), seclang_name(transformation),
                      " of ", text);
    }
  }
  CHECK_FALSE(find_transformation("none").has_value());
  CHECK(find_transformation("NORMALISEPATH") == Transformation::NormalizePath);
}

TEST_CASE("chains that lead to the same octets share an output") {
  ChainTable chains;
  const Transformation decode[] = {Transformation::UrlDecodeUni};
  const Transformation decode_lower[] = {Transformation::UrlDecodeUni, Transformation::Lowercase};
  const Transformation nulls[] = {Transformation::RemoveNulls};
  const ChainId first = chains.intern(decode);
  const ChainId second = chains.intern(decode_lower);
  const ChainId third = chains.intern(nulls);
  CHECK(chains.intern(decode_lower) == second);
  CHECK(chains.parent(second) == first);
  Arena arena;
  Memo memo(chains, arena);
  const TextId text = memo.add("A%42c");
  CHECK(memo.get(text, second) == "abc");
  CHECK(memo.get(text, first) == "ABc");
  CHECK(memo.output(text, third) == 0);
  CHECK(memo.output_count(text) == 3);
  const TextId lower = memo.add("abc");
  CHECK(memo.output(lower, second) == 0);
  CHECK(memo.output_count(lower) == 1);
  CHECK(memo.get(memo.add(""), second) == "");
}
