// SPDX-License-Identifier: MIT
// Percent-encoding: as URLs have it, and Microsoft's %uhhhh.
#include "appliance/guard/waf/text/best_fit.h"
#include "appliance/guard/waf/text/functions.h"
#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf::text {
namespace {

// What IIS makes of U+hhhh, and the lower octet where it makes nothing of it.
char narrow_to_fit(std::string_view digits) {
  const auto octet = [&](std::size_t at) {
    return static_cast<unsigned char>(hex_octet(digits[at], digits[at + 1]));
  };
  const char fit = best_fit(static_cast<std::uint16_t>(octet(0) << 8 | octet(2)));
  return fit == '\0' ? narrow(digits) : fit;
}

}  // namespace

void url_decode(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] == '%' && hex_digits_at(in, i + 1, 2)) {
      out += hex_octet(in[i + 1], in[i + 2]);
      i += 2;
    } else {
      out += in[i] == '+' ? ' ' : in[i];
    }
  }
}

void url_decode_uni(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '%') {
      out += in[i] == '+' ? ' ' : in[i];
    } else if (i + 1 < in.size() && to_lower(in[i + 1]) == 'u') {
      if (hex_digits_at(in, i + 2, 4)) {
        out += narrow_to_fit(in.substr(i + 2, 4));
        i += 5;
      } else {
        out.append(in, i, 2);
        i += 1;
      }
    } else if (hex_digits_at(in, i + 1, 2)) {
      out += hex_octet(in[i + 1], in[i + 2]);
      i += 2;
    } else {
      out += '%';
    }
  }
}

void url_encode(std::string_view in, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.reserve(in.size() * 3);
  for (const char c : in) {
    if (c == ' ') {
      out += '+';
    } else if (c == '*' || is_alnum(c)) {
      out += c;
    } else {
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
}

}  // namespace headgate::guard::waf::text
