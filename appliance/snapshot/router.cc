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
  // From the left, so that the longest suffix is met first; a wildcard stands for at least one label.
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

bool PathPattern::matches(std::string_view path) const {
  // The classic greedy walk: on a mismatch the last star takes one octet more.
  std::size_t p = 0;
  std::size_t s = 0;
  std::size_t star = std::string::npos;
  std::size_t star_took_until = 0;
  while (s < path.size()) {
    if (p < pattern_.size() && pattern_[p] == '*') {
      star = p++;
      star_took_until = s;
      if (p == pattern_.size()) return true;
    } else if (p < pattern_.size() && (pattern_[p] == '?' || pattern_[p] == path[s])) {
      ++p;
      ++s;
    } else if (star != std::string::npos) {
      p = star + 1;
      s = ++star_took_until;
    } else {
      return false;
    }
  }
  while (p < pattern_.size() && pattern_[p] == '*') ++p;
  return p == pattern_.size();
}

}  // namespace headgate::snapshot
