// SPDX-License-Identifier: MIT
// The functions behind Transformation; each writes its whole result to the empty `out`.
#pragma once

#include <string>
#include <string_view>

namespace headgate::guard::waf::text {

// url.cc
void url_decode(std::string_view in, std::string& out);
void url_decode_uni(std::string_view in, std::string& out);
void url_encode(std::string_view in, std::string& out);
// entities.cc
void html_entity_decode(std::string_view in, std::string& out);
void utf8_to_unicode(std::string_view in, std::string& out);
// escapes.cc
void js_decode(std::string_view in, std::string& out);
void css_decode(std::string_view in, std::string& out);
void escape_seq_decode(std::string_view in, std::string& out);
// spaces.cc
void lowercase(std::string_view in, std::string& out);
void uppercase(std::string_view in, std::string& out);
void compress_white_space(std::string_view in, std::string& out);
void remove_white_space(std::string_view in, std::string& out);
void cmd_line(std::string_view in, std::string& out);
void remove_nulls(std::string_view in, std::string& out);
void replace_nulls(std::string_view in, std::string& out);
void trim(std::string_view in, std::string& out);
void trim_left(std::string_view in, std::string& out);
void trim_right(std::string_view in, std::string& out);
// comments.cc
void replace_comments(std::string_view in, std::string& out);
void remove_comments(std::string_view in, std::string& out);
void remove_comments_char(std::string_view in, std::string& out);
// path.cc
void normalize_path(std::string_view in, std::string& out);
void normalize_path_win(std::string_view in, std::string& out);
// encodings.cc
void base64_decode(std::string_view in, std::string& out);
void base64_decode_ext(std::string_view in, std::string& out);
void base64_encode(std::string_view in, std::string& out);
void hex_decode(std::string_view in, std::string& out);
void hex_encode(std::string_view in, std::string& out);
void sql_hex_decode(std::string_view in, std::string& out);
void length(std::string_view in, std::string& out);
void md5(std::string_view in, std::string& out);
void sha1(std::string_view in, std::string& out);

}  // namespace headgate::guard::waf::text
