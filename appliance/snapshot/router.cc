// SPDX-License-Identifier: MIT
#include "appliance/snapshot/router.h"

namespace headgate::snapshot {

void Router::add(std::string_view alias, const Distribution* distribution) {
  if (alias == "*") {
    rest_ = distribution;
  } else if (alias.starts_with("*.")) {
    suffixes_.emplace(alias.substr(1), distribution);
  } else {
    exact_.emplace(alias, distribution);
  }
}

const Distribution* Router::find(std::string_view host) const {
  if (const auto found = exact_.find(host); found != exact_.end()) return found->second;
  // From the left, so that the longest suffix is met first; a wildcard stands for at least one
  // label.
  for (std::size_t dot = host.find('.', 1); !suffixes_.empty() && dot != std::string_view::npos;
       dot = host.find('.', dot + 1)) {
    if (const auto found = suffixes_.find(host.substr(dot)); found != suffixes_.end())
      return found->second;
  }
  return rest_;
}

PathPattern::PathPattern(std::string_view pattern) : text_(pattern) {
  const bool bare = !pattern.empty() && pattern.front() != '/' && pattern.front() != '*';
  pattern_ = bare ? "/" + text_ : text_;
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  // The classic greedy walk: on a mismatch the last star takes one octet more.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_took_until = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_took_until = t;
      if (p == pattern.size()) return true;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_took_until;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace headgate::snapshot
