// SPDX-License-Identifier: MIT
// Paths without empty, "." and ".." segments.
#include <algorithm>

#include "appliance/guard/waf/text/functions.h"

namespace headgate::guard::waf::text {
namespace {

// Segment by segment. A relative path keeps the ".." that lead out of it; an absolute one does not
// go above its root. A slash at the end stays, and none is added.
void normalize(std::string_view in, std::string& out) {
  if (in.empty()) return;
  const bool absolute = in.front() == '/';
  out.reserve(in.size());
  if (absolute) out += '/';
  const std::size_t root = out.size();
  // Length of the part that begins with "..", which nothing can take back.
  std::size_t outside = root;
  for (std::size_t i = 0; i < in.size();) {
    const std::size_t end = std::min(in.find('/', i), in.size());
    const std::string_view segment = in.substr(i, end - i);
    i = end + 1;
    if (segment.empty() || segment == ".") continue;
    if (segment == ".." && (absolute || out.size() > outside)) {
      if (out.size() == root) continue;
      out.pop_back();  // the slash of the segment that goes
      const std::size_t slash = out.find_last_of('/');
      out.resize(slash == std::string::npos ? 0 : slash + 1);
      out.resize(std::max(out.size(), root));
      continue;
    }
    out += segment;
    out += '/';
    if (segment == "..") outside = out.size();
  }
  if (in.back() != '/' && out.size() > root) out.pop_back();
}

}  // namespace

void normalize_path(std::string_view in, std::string& out) { normalize(in, out); }

void normalize_path_win(std::string_view in, std::string& out) {
  std::string slashes(in);
  std::replace(slashes.begin(), slashes.end(), '\\', '/');
  normalize(slashes, out);
}

}  // namespace headgate::guard::waf::text
