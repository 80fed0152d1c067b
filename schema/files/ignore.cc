// SPDX-License-Identifier: MIT
// Patterns of .headgateignore.
#include "schema/files/ignore.h"

#include <algorithm>

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxRules = 1000;

/// Matches with two points to come back to: the last `*` (within a name) and the last `**` (across
/// folders); linear in practice and never worse than quadratic, since each point only moves
/// forward.
bool glob(std::string_view pattern, std::string_view text) {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0, t = 0, star = kNone, star_at = 0, wide = kNone, wide_at = 0;
  bool whole_folders = false;  // "**/" goes on only where a name begins
  while (t < text.size()) {
    if (p < pattern.size() && pattern.substr(p).starts_with("**")) {
      p += 2;
      // "**/" also stands for no folder at all.
      whole_folders = p < pattern.size() && pattern[p] == '/' && (p == 2 || pattern[p - 3] == '/');
      if (whole_folders) ++p;
      wide = p;
      wide_at = t;
      star = kNone;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_at = t;
    } else if (p < pattern.size() &&
               (pattern[p] == text[t] || (pattern[p] == '?' && text[t] != '/'))) {
      ++p;
      ++t;
    } else if (star != kNone && text[star_at] != '/') {
      p = star;
      t = ++star_at;
    } else if (wide != kNone) {
      star = kNone;
      p = wide;
      wide_at = whole_folders ? text.find('/', wide_at) : wide_at;
      if (wide_at == kNone) return false;
      t = ++wide_at;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

IgnoreRules::IgnoreRules(std::string_view text) {
  while (!text.empty() && rules_.size() < kMaxRules) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t'))
      line.remove_suffix(1);
    Rule rule;
    if (line.starts_with('!')) {
      rule.taken_back = true;
      line.remove_prefix(1);
    } else if (line.starts_with('#')) {
      continue;
    }
    if (line.ends_with('/')) {
      rule.folders_only = true;
      line.remove_suffix(1);
    }
    if (line.empty() || line.size() > 1024) continue;
    rule.anchored = line.find('/') != std::string_view::npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    rule.pattern = line;
    rules_.push_back(std::move(rule));
  }
}

bool IgnoreRules::matches(const Rule& rule, std::string_view path, bool folder) const {
  if (rule.folders_only && !folder) return false;
  std::size_t slash = path.rfind('/');
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return glob(rule.pattern, rule.anchored ? path : name);
}

bool IgnoreRules::ignores(std::string_view path) const {
  // Folder by folder from the root: what is in an ignored folder cannot be taken back, as in git.
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    std::string_view part = path.substr(0, end);
    bool folder = end != std::string_view::npos;
    bool ignored = false;
    for (const Rule& rule : rules_)
      if (matches(rule, part, folder)) ignored = !rule.taken_back;
    if (ignored) return true;
    if (!folder) return false;
  }
}

bool is_configuration(std::string_view path) {
  return (path.ends_with(".yaml") || path.ends_with(".yml")) && !is_hidden(path);
}

bool is_hidden(std::string_view path) {
  for (std::string_view rest = path; !rest.empty();) {
    std::string_view name = rest.substr(0, rest.find('/'));
    if (name.starts_with('.')) return true;
    if (name == "overlays" && name.size() < rest.size()) return true;
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
  }
  return false;
}

}  // namespace headgate::schema
