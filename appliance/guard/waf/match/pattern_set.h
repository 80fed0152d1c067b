// SPDX-License-Identifier: MIT
// Many regular expressions and literals, looked for in one pass over a text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/match/workspace.h"
#include "schema/base/result.h"

struct hs_database;

namespace headgate::guard::waf {

/// Something to look for.
struct Pattern {
  enum class Kind : std::uint8_t {
    Regex,   ///< Perl's syntax; '.' matches newlines
    Phrase,  ///< these octets, ASCII letters in any case
  };
  Kind kind = Kind::Regex;
  std::string expression;
  std::uint32_t id = 0;  ///< what scan() reports; patterns may share one
};

/// A Hyperscan database. It never misses a text that has a match; a report may be wrong where
/// Hyperscan only approximates a pattern, so confirm it with Regex where that matters.
/// Threads: const members are safe everywhere, each thread with its own Workspace.
class PatternSet {
 public:
  PatternSet() = default;  ///< nothing to look for
  PatternSet(PatternSet&& other) noexcept;
  PatternSet& operator=(PatternSet&& other) noexcept;
  ~PatternSet();

  /// Takes time (milliseconds to seconds): not for an event loop. Ids whose patterns Hyperscan
  /// cannot do at all are added to `refused`; those have to be matched otherwise.
  static Result<PatternSet> compile(std::span<const Pattern> patterns,
                                    std::vector<std::uint32_t>& refused);

  /// The compiled form, for a cache on disk; for this version of Hyperscan and this processor.
  Result<std::string> serialize() const;
  /// Errors: octets that are not a database of this Hyperscan on this processor.
  static Result<PatternSet> deserialize(std::string_view octets);

  /// Adds each id that (perhaps) matches `text` to `ids`, once for each of its patterns at least.
  /// Texts longer than 4 GiB are not looked at behind that. False when Hyperscan failed: then
  /// nothing is known.
  bool scan(std::string_view text, Workspace& workspace, std::vector<std::uint32_t>& ids) const;

  /// The same, with where the matches end.
  bool scan(std::string_view text, Workspace& workspace, std::vector<PatternHit>& hits) const;

  /// Whether a report of `id` is right without a second look.
  bool exact(std::uint32_t id) const {
    return !std::binary_search(approximate_.begin(), approximate_.end(), id);
  }

  bool empty() const { return database_ == nullptr; }
  std::size_t size_bytes() const;

 private:
  explicit PatternSet(hs_database* database);
  bool prepare(Workspace& workspace) const;

  hs_database* database_ = nullptr;
  std::size_t serial_ = 0;
  std::vector<std::uint32_t> approximate_;  ///< ids, sorted
};

}  // namespace headgate::guard::waf
