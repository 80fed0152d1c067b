// SPDX-License-Identifier: MIT
// Letter case, white space, NUL octets, and what a shell would not notice.
#include <algorithm>

#include "appliance/guard/waf/text/functions.h"
#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf::text {

void lowercase(std::string_view in, std::string& out) {
  out.resize(in.size());
  std::transform(in.begin(), in.end(), out.begin(), to_lower);
}

void uppercase(std::string_view in, std::string& out) {
  out.resize(in.size());
  std::transform(in.begin(), in.end(), out.begin(), [](char c) {
    return is_alpha(c) && !is_upper(c) ? static_cast<char>(c - 32) : c;
  });
}

void compress_white_space(std::string_view in, std::string& out) {
  out.reserve(in.size());
  bool in_space = false;
  for (const char c : in) {
    const bool space = is_space(c);
    if (!space) {
      out += c;
    } else if (!in_space) {
      out += ' ';
    }
    in_space = space;
  }
}

void remove_white_space(std::string_view in, std::string& out) {
  out.reserve(in.size());
  // 0xa0 is a no-break space in Latin-1, 0xc2 0xa0 in UTF-8.
  std::copy_if(in.begin(), in.end(), std::back_inserter(out),
               [](char c) { return !is_space(c) && c != '\xa0' && c != '\xc2'; });
}

void cmd_line(std::string_view in, std::string& out) {
  out.reserve(in.size());
  bool after_space = false;
  for (const char c : in) {
    switch (c) {
      case '"':
      case '\'':
      case '\\':
      case '^':
        break;
      case ' ':
      case ',':
      case ';':
      case '\t':
      case '\r':
      case '\n':
        if (!after_space) out += ' ';
        after_space = true;
        break;
      case '/':
      case '(':
        if (after_space) out.pop_back();
        after_space = false;
        out += c;
        break;
      default:
        after_space = false;
        out += to_lower(c);
    }
  }
}

void remove_nulls(std::string_view in, std::string& out) {
  out.reserve(in.size());
  std::copy_if(in.begin(), in.end(), std::back_inserter(out), [](char c) { return c != '\0'; });
}

void replace_nulls(std::string_view in, std::string& out) {
  out = in;
  std::replace(out.begin(), out.end(), '\0', ' ');
}

void trim_left(std::string_view in, std::string& out) {
  while (!in.empty() && is_space(in.front())) in.remove_prefix(1);
  out = in;
}

void trim_right(std::string_view in, std::string& out) {
  while (!in.empty() && is_space(in.back())) in.remove_suffix(1);
  out = in;
}

void trim(std::string_view in, std::string& out) {
  while (!in.empty() && is_space(in.back())) in.remove_suffix(1);
  trim_left(in, out);
}

}  // namespace headgate::guard::waf::text
