// SPDX-License-Identifier: MIT
#include "appliance/cache/purge/places.h"

namespace headgate::cache {

void PurgeMark::add(const PurgeRule& rule, std::uint32_t number) {
  const Purged verdict = rule.verdict();
  std::uint64_t& highest = verdict == Purged::Hard ? hard : verdict == Purged::Kept ? kept : soft;
  highest = std::max(highest, rule.epoch);
  if (rules.empty() || rules.back() != number) rules.push_back(number);
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;  // where the text goes on if the last star takes one character more
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void PurgePlaces::add(const PurgeRule& rule, std::uint32_t number) {
  for (const std::string& path : rule.select.paths) {
    std::string text = path.starts_with('/') ? path : "/" + path;
    const std::size_t star = text.find('*');
    if (star == std::string::npos) {
      exact_[text].add(rule, number);
    } else if (star + 1 == text.size()) {
      text.pop_back();
      prefixes_[text.size()][text].add(rule, number);
    } else {
      globs_.emplace_back(std::move(text), PurgeMark()).second.add(rule, number);
    }
  }
  for (const std::string& tag : rule.select.tags) tags_[label_hash(tag)].add(rule, number);
}

}  // namespace headgate::cache
