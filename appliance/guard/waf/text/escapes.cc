// SPDX-License-Identifier: MIT
// What a backslash begins: in JavaScript, in CSS, in C.
#include "appliance/guard/waf/text/functions.h"
#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf::text {
namespace {

// \a \b \f \n \r \t \v; any other character stands for itself.
char control(char c) {
  switch (c) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

// Up to three octal digits at `at` (where one is); with three above \377 only two count if
// `one_octet`. Returns how many were taken.
std::size_t octal(std::string_view in, std::size_t at, bool one_octet, char& octet) {
  std::size_t count = 0;
  while (count < 3 && at + count < in.size() && is_octal(in[at + count])) ++count;
  if (one_octet && count == 3 && in[at] > '3') count = 2;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value * 8 + (in[at + i] - '0');
  octet = static_cast<char>(value);
  return count;
}

}  // namespace

void js_decode(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    if (in[i] != '\\' || i + 1 == in.size()) {
      out += in[i++];
    } else if (in[i + 1] == 'u' && hex_digits_at(in, i + 2, 4)) {
      out += narrow(in.substr(i + 2, 4));
      i += 6;
    } else if (in[i + 1] == 'x' && hex_digits_at(in, i + 2, 2)) {
      out += hex_octet(in[i + 2], in[i + 3]);
      i += 4;
    } else if (is_octal(in[i + 1])) {
      char octet = 0;
      i += 1 + octal(in, i + 1, true, octet);
      out += octet;
    } else {
      out += control(in[i + 1]);
      i += 2;
    }
  }
}

void css_decode(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    if (in[i] != '\\') {
      out += in[i++];
      continue;
    }
    if (++i == in.size()) break;  // a backslash at the end goes
    std::size_t count = 0;
    while (count < 6 && i + count < in.size() && is_hex(in[i + count])) ++count;
    if (count == 0) {
      // A newline is continued over; anything else stands for itself.
      if (in[i] != '\n') out += in[i];
      ++i;
      continue;
    }
    const std::string_view digits = in.substr(i, count);
    const bool four_digits = count == 4 || (count == 5 && digits[0] == '0') ||
                             (count == 6 && digits[0] == '0' && digits[1] == '0');
    if (count == 1) {
      out += static_cast<char>(hex_value(digits[0]));
    } else if (four_digits) {
      out += narrow(digits.substr(count - 4));
    } else {
      out += hex_octet(digits[count - 2], digits[count - 1]);
    }
    i += count;
    if (i < in.size() && is_space(in[i])) ++i;
  }
}

void escape_seq_decode(std::string_view in, std::string& out) {
  constexpr std::string_view kKnown = "abfnrtv\\?'\"";
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    if (in[i] != '\\' || i + 1 == in.size()) {
      out += in[i++];
    } else if (kKnown.find(in[i + 1]) != std::string_view::npos) {
      out += control(in[i + 1]);
      i += 2;
    } else if (to_lower(in[i + 1]) == 'x' && hex_digits_at(in, i + 2, 2)) {
      out += hex_octet(in[i + 2], in[i + 3]);
      i += 4;
    } else if (is_octal(in[i + 1])) {
      char octet = 0;
      i += 1 + octal(in, i + 1, false, octet);
      out += octet;
    } else {  // not an escape: only the backslash goes
      out += in[i + 1];
      i += 2;
    }
  }
}

}  // namespace headgate::guard::waf::text
