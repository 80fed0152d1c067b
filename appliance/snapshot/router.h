// SPDX-License-Identifier: MIT
// From a host to the distribution that claims it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace headgate::snapshot {

struct Distribution;

/// Aliases of every distribution: exact names and IP literals, then *.example.com (the longest
/// suffix wins, one or more labels), then "*". Threads: immutable once built.
class Router {
 public:
  /// `alias` in lower case. The caller has checked that nobody else claims it.
  void add(std::string_view alias, const Distribution* distribution);
  /// `host` in lower case without port, brackets and trailing dot; null when nobody claims it. Does
  /// not allocate.
  const Distribution* find(std::string_view host) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Table = std::unordered_map<std::string, const Distribution*, Hash, std::equal_to<>>;
  Table exact_;
  Table suffixes_;  ///< ".example.com"
  const Distribution* rest_ = nullptr;
};

/// '*' is any octets, '?' is one; everything else is itself. Linear but for what the stars make it
/// try again.
bool glob_matches(std::string_view pattern, std::string_view text);

/// CloudFront's path pattern: '*' any octets ('/' too), '?' one octet, the leading '/' optional,
/// case-sensitive. features.md R007.
class PathPattern {
 public:
  PathPattern() = default;
  explicit PathPattern(std::string_view pattern);
  bool matches(std::string_view path) const { return glob_matches(pattern_, path); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;     ///< as written
  std::string pattern_;  ///< with the leading '/'
};

}  // namespace headgate::snapshot
