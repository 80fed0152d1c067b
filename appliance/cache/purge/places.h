// SPDX-License-Identifier: MIT
// An index from paths and tags to the invalidations that name them. Internal to appliance/cache.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "appliance/cache/purge/rule.h"
#include "appliance/cache/purge/tags.h"

namespace headgate::cache {

/// The rules of one place: the highest epoch of each verdict, and which rules they are.
struct PurgeMark {
  std::uint64_t soft = 0;
  std::uint64_t kept = 0;
  std::uint64_t hard = 0;
  std::vector<std::uint32_t> rules;  ///< numbers in the table

  void add(const PurgeRule& rule, std::uint32_t number);
  /// Of a response stamped with `epoch`.
  Purged judge(std::uint64_t epoch) const {
    if (hard > epoch) return Purged::Hard;
    if (kept > epoch) return Purged::Kept;
    return soft > epoch ? Purged::Soft : Purged::No;
  }
};

/// Whether `text` is `pattern`, in which '*' stands for any characters, also none. Linear in the
/// product of both at worst.
bool glob_matches(std::string_view pattern, std::string_view text);

/// Exact paths in a hash, prefixes in a hash for each length that occurs, tags in a hash; only
/// patterns with '*' elsewhere than at the end are tried one by one. Look-ups allocate nothing.
class PurgePlaces {
 public:
  void add(const PurgeRule& rule, std::uint32_t number);
  bool empty() const {
    return exact_.empty() && prefixes_.empty() && tags_.empty() && globs_.empty();
  }
  bool has_tags() const { return !tags_.empty(); }

  /// Calls `use(mark)` for every mark at `path`.
  template <class Use>
  void each_of_path(std::string_view path, Use use) const {
    if (const auto found = exact_.find(path); found != exact_.end()) use(found->second);
    for (const auto& [length, texts] : prefixes_) {
      if (length > path.size()) break;
      if (const auto found = texts.find(path.substr(0, length)); found != texts.end())
        use(found->second);
    }
    for (const auto& [pattern, mark] : globs_)
      if (glob_matches(pattern, path)) use(mark);
  }
  template <class Use>
  void each_of_tags(const TagSet& tags, Use use) const {
    if (tags_.empty() || tags.empty()) return;
    if (tags.contains_all()) {
      for (const auto& [hash, mark] : tags_) use(mark);
      return;
    }
    tags.each([&](std::uint64_t hash) {
      if (const auto found = tags_.find(hash); found != tags_.end()) use(found->second);
    });
  }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using ByText = std::unordered_map<std::string, PurgeMark, TextHash, std::equal_to<>>;

  ByText exact_;
  std::map<std::size_t, ByText> prefixes_;  ///< by length
  std::unordered_map<std::uint64_t, PurgeMark> tags_;
  std::vector<std::pair<std::string, PurgeMark>> globs_;
};

}  // namespace headgate::cache
