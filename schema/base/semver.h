// SPDX-License-Identifier: MIT
// Versions of semver.org and ranges of them: which tag an edge follows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/base/result.h"

namespace headgate {

/// `1.4.2-rc.1+build`, as Semantic Versioning 2.0.0 has it. Build metadata is checked and dropped:
/// it has no part in precedence (section 10).
struct SemanticVersion {
  std::array<std::uint64_t, 3> numbers{};  ///< major, minor, patch
  std::vector<std::string> pre_release;    ///< identifiers; empty: a release

  /// Nothing when `text` is no version. A `v` before it, as names of tags have, is left out.
  static std::optional<SemanticVersion> parse(std::string_view text);
};

/// Precedence (semver.org, section 11): below, equal to or above 0.
int compare(const SemanticVersion& a, const SemanticVersion& b);

/// A range as Flux's `ref.semver` takes it: comparators that all must hold (`>=1.2 <2`, with spaces
/// or commas), alternatives by `||`; `=`, `!=`, `<`, `<=`, `>`, `>=`; `1.2` and `1.2.x` for every
/// patch, `~1.2.3`, `^1.2.3`, `1.2 - 1.4`, `*`.
///
/// Pre-releases are in a range only where one of its comparators names one, as `>=1.2.0-0` does;
/// `<2` leaves those of 2.0.0 out even then. Threads: immutable.
class SemanticRange {
 public:
  /// Errors: Blame::Config with the comparator that cannot be read.
  static Result<SemanticRange> parse(std::string_view text);
  bool contains(const SemanticVersion& version) const;

 private:
  enum class Operator { Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual };
  struct Comparator {
    Operator op = Operator::Equal;
    SemanticVersion version;
    bool holds(const SemanticVersion& other) const;
  };
  struct Alternative {
    std::vector<Comparator> comparators;  ///< empty: any version
    bool with_pre_releases = false;
  };
  struct Partial;
  static Result<Alternative> parse_alternative(std::string_view text);
  static Status add(Alternative& to, std::string_view op, std::string_view version);

  std::vector<Alternative> alternatives_;
};

}  // namespace headgate
