// SPDX-License-Identifier: MIT
// Whether a text is well-formed: its octets, its percent-encoding, its UTF-8.
#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::guard::waf {

/// Octets that are allowed: "10,13,32-126,128-255".
class ByteRange {
 public:
  /// Errors: a number above 255, a range that runs backwards, anything that is not a list.
  static Result<ByteRange> parse(std::string_view list);
  /// Offset of the first octet of `text` that is not allowed; npos when all are.
  std::size_t first_outside(std::string_view text) const;

 private:
  std::bitset<256> allowed_;
};

/// Whether each '%' of `text` is followed by two hexadecimal digits.
bool valid_url_encoding(std::string_view text);

/// RFC 3629: neither overlong nor surrogates nor beyond U+10FFFF.
bool valid_utf8(std::string_view text);

}  // namespace headgate::guard::waf
