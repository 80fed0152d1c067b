// SPDX-License-Identifier: MIT
// SQL injection and cross-site scripting, told by libinjection's tokenizers.
#pragma once

#include <array>
#include <string_view>

namespace headgate::guard::waf {

/// libinjection's summary of the tokens that gave an injection away, e.g. "s&1c".
struct SqliFingerprint {
  std::array<char, 8> octets{};
  std::string_view text() const { return octets.data(); }
};

/// Whether `text`, in some context of a query, is SQL injection. `fingerprint` may be null.
/// Threads: pure.
bool is_sql_injection(std::string_view text, SqliFingerprint* fingerprint = nullptr);

/// Whether `text`, in some context of a page, runs a script.
/// Threads: pure.
bool is_cross_site_scripting(std::string_view text);

}  // namespace headgate::guard::waf
