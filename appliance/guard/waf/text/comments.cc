// SPDX-License-Identifier: MIT
// Comments of C, SQL, shells and HTML.
#include "appliance/guard/waf/text/functions.h"

namespace headgate::guard::waf::text {

void replace_comments(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    if (in.substr(i, 2) != "/*") {
      out += in[i++];
      continue;
    }
    out += ' ';
    const std::size_t end = in.find("*/", i + 2);
    i = end == std::string_view::npos ? in.size() : end + 2;
  }
}

void remove_comments(std::string_view in, std::string& out) {
  out.reserve(in.size());
  bool inside = false;
  for (std::size_t i = 0; i < in.size();) {
    const std::string_view rest = in.substr(i);
    if (!inside) {
      if (rest.starts_with("/*")) {
        inside = true;
        i += 2;
      } else if (rest.starts_with("<!--")) {
        inside = true;
        i += 4;
      } else if (rest.starts_with("--") || rest.front() == '#') {
        break;
      } else {
        out += in[i++];
      }
    } else if (rest.starts_with("*/") || rest.starts_with("-->")) {
      inside = false;
      i += rest.front() == '*' ? 2 : 3;
    } else {
      ++i;
    }
  }
  if (inside) out += ' ';
}

void remove_comments_char(std::string_view in, std::string& out) {
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size();) {
    const std::string_view rest = in.substr(i);
    if (rest.starts_with("/*") || rest.starts_with("*/")) {
      i += 2;
    } else if (rest.starts_with("<!--")) {
      i += 4;
    } else if (rest.starts_with("-->")) {
      i += 3;
    } else if (rest.starts_with("--")) {
      i += 2;
    } else if (rest.front() == '#') {
      ++i;
    } else {
      out += in[i++];
    }
  }
}

}  // namespace headgate::guard::waf::text
