// SPDX-License-Identifier: MIT
// Small things over text that diagnostics and formats share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headgate::schema {

/// Control characters (C0, DEL, C1 in UTF-8) as \xNN, so that text of a repository cannot forge a
/// line of a log or move a cursor.
std::string escape_control(std::string_view text);

/// `"text"`, escaped and cut after 80 octets: how a diagnostic repeats what was written.
std::string in_quotes(std::string_view text);

/// The candidate nearest to `word` by edit distance, case ignored; empty when none is near enough
/// to be meant.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// `did you mean "x"?`, or `alternative` when nothing is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates,
                         std::string alternative = {});

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);

/// "a, b, c".
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");

/// SHA-256 as lower-case hex; with a key, HMAC-SHA-256.
std::string sha256_hex(std::string_view text);
std::string hmac_sha256_hex(std::string_view key, std::string_view text);

}  // namespace headgate::schema
