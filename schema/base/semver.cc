// SPDX-License-Identifier: MIT
// Versions of semver.org and ranges of them: which tag an edge follows.
#include "schema/base/semver.h"

#include <algorithm>
#include <charconv>

namespace headgate {
namespace {

constexpr std::size_t kMaxLength = 256;
constexpr std::size_t kMaxComparators = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_identifier_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

bool is_numeric(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// A number without leading zeros (section 2).
std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  if (!is_numeric(text) || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What `separator` parts `text` into; one empty part when it is empty.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = text.find(separator); at != std::string_view::npos;
       at = text.find(separator)) {
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  parts.push_back(text);
  return parts;
}

/// Dot-separated identifiers of a pre-release or of build metadata (sections 9 and 10).
std::optional<std::vector<std::string>> parse_identifiers(std::string_view text,
                                                          bool leading_zeros) {
  std::vector<std::string> identifiers;
  for (const std::string_view part : split(text, '.')) {
    if (part.empty() || !std::all_of(part.begin(), part.end(), is_identifier_character))
      return std::nullopt;
    if (!leading_zeros && is_numeric(part) && part.size() > 1 && part[0] == '0')
      return std::nullopt;
    identifiers.emplace_back(part);
  }
  return identifiers;
}

std::string_view without_v(std::string_view text) {
  if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
  return text;
}

int compare_identifiers(const std::string& a, const std::string& b) {
  const bool a_is_number = is_numeric(a);
  if (a_is_number != is_numeric(b)) return a_is_number ? -1 : 1;
  if (a_is_number && a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_wildcard(std::string_view part) { return part == "x" || part == "X" || part == "*"; }

}  // namespace

std::optional<SemanticVersion> SemanticVersion::parse(std::string_view text) {
  if (text.size() > kMaxLength) return std::nullopt;
  text = without_v(text);
  SemanticVersion version;
  if (const std::size_t plus = text.find('+'); plus != std::string_view::npos) {
    if (!parse_identifiers(text.substr(plus + 1), true)) return std::nullopt;
    text = text.substr(0, plus);
  }
  if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    auto identifiers = parse_identifiers(text.substr(dash + 1), false);
    if (!identifiers) return std::nullopt;
    version.pre_release = std::move(*identifiers);
    text = text.substr(0, dash);
  }
  const auto parts = split(text, '.');
  if (parts.size() != version.numbers.size()) return std::nullopt;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto number = parse_number(parts[i]);
    if (!number) return std::nullopt;
    version.numbers[i] = *number;
  }
  return version;
}

int compare(const SemanticVersion& a, const SemanticVersion& b) {
  if (a.numbers != b.numbers) return a.numbers < b.numbers ? -1 : 1;
  if (a.pre_release.empty() || b.pre_release.empty())
    return static_cast<int>(a.pre_release.empty()) - static_cast<int>(b.pre_release.empty());
  const std::size_t shared = std::min(a.pre_release.size(), b.pre_release.size());
  for (std::size_t i = 0; i < shared; ++i)
    if (const int order = compare_identifiers(a.pre_release[i], b.pre_release[i]); order != 0)
      return order;
  if (a.pre_release.size() == b.pre_release.size()) return 0;
  return a.pre_release.size() < b.pre_release.size() ? -1 : 1;
}

/// A version of a range, of which the last parts may be missing or wildcards.
struct SemanticRange::Partial {
  SemanticVersion version;  ///< what is missing is 0
  std::size_t given = 0;    ///< of the three numbers

  static std::optional<Partial> parse(std::string_view text) {
    Partial partial;
    if (auto whole = SemanticVersion::parse(text)) {
      partial.version = std::move(*whole);
      partial.given = 3;
      return partial;
    }
    const auto parts = split(without_v(text), '.');
    if (parts.size() > partial.version.numbers.size()) return std::nullopt;
    bool ended = false;
    for (const std::string_view part : parts) {
      const auto number = parse_number(part);
      if (is_wildcard(part))
        ended = true;
      else if (!number || ended)
        return std::nullopt;
      else
        partial.version.numbers[partial.given++] = *number;
    }
    return partial;
  }

  /// The first version beyond all that have the first `count` numbers.
  SemanticVersion beyond(std::size_t count) const {
    SemanticVersion next;
    for (std::size_t i = 0; i < count; ++i) next.numbers[i] = version.numbers[i];
    ++next.numbers[count - 1];
    return next;
  }
};

bool SemanticRange::Comparator::holds(const SemanticVersion& other) const {
  const int order = compare(other, version);
  switch (op) {
    case Operator::Equal:
      return order == 0;
    case Operator::NotEqual:
      return order != 0;
    case Operator::Less:
      // A pre-release of what is excluded is no way around it.
      return order < 0 && !(version.pre_release.empty() && !other.pre_release.empty() &&
                            other.numbers == version.numbers);
    case Operator::LessOrEqual:
      return order <= 0;
    case Operator::Greater:
      return order > 0;
    case Operator::GreaterOrEqual:
      return order >= 0;
  }
  return false;
}

Status SemanticRange::add(Alternative& to, std::string_view op, std::string_view text) {
  const auto partial = Partial::parse(text);
  if (!partial)
    return fail(Blame::Config, "{}{} is no comparator: expected one such as >=1.2.3, ~1.2 or 1.x",
                op, text);
  const std::size_t given = partial->given;
  const SemanticVersion& version = partial->version;
  if (!version.pre_release.empty()) to.with_pre_releases = true;
  if (to.comparators.size() > kMaxComparators)
    return fail(Blame::Config, "more than {} comparators", kMaxComparators);
  const auto push = [&](Operator kind, SemanticVersion bound) {
    Comparator comparator;
    comparator.op = kind;
    comparator.version = std::move(bound);
    to.comparators.push_back(std::move(comparator));
  };
  const auto span = [&](std::size_t kept) {
    push(Operator::GreaterOrEqual, version);
    push(Operator::Less, partial->beyond(kept));
  };
  if (op == "!=") {
    if (given < 3) return fail(Blame::Config, "!={}: give all three numbers", text);
    push(Operator::NotEqual, version);
  } else if (given == 0) {
    if (op == "<" || op == ">") return fail(Blame::Config, "{}{}: no version is", op, text);
  } else if (op == "^") {
    // The first number that is not 0 stays (semver.org, section 4: 0.y.z is not stable).
    std::size_t kept = 1;
    while (kept < given && version.numbers[kept - 1] == 0) ++kept;
    span(kept);
  } else if (op == "~") {
    span(std::min<std::size_t>(given, 2));
  } else if (op == ">=") {
    push(Operator::GreaterOrEqual, version);
  } else if (op == "<") {
    push(Operator::Less, version);
  } else if (op == ">") {
    given < 3 ? push(Operator::GreaterOrEqual, partial->beyond(given))
              : push(Operator::Greater, version);
  } else if (op == "<=") {
    given < 3 ? push(Operator::Less, partial->beyond(given)) : push(Operator::LessOrEqual, version);
  } else if (given < 3) {
    span(given);
  } else {
    push(Operator::Equal, version);
  }
  return {};
}

Result<SemanticRange::Alternative> SemanticRange::parse_alternative(std::string_view text) {
  Alternative alternative;
  if (const std::size_t hyphen = text.find(" - "); hyphen != std::string_view::npos) {
    Status added = add(alternative, ">=", trimmed(text.substr(0, hyphen)));
    if (added) added = add(alternative, "<=", trimmed(text.substr(hyphen + 3)));
    if (!added) return tl::unexpected<Error>(std::move(added.error()));
    return alternative;
  }
  constexpr std::string_view kSeparators = " ,";
  constexpr std::string_view kOperator = "=!<>~^";
  bool any = false;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
    if (text.empty()) break;
    const std::size_t op_end = std::min(text.find_first_not_of(kOperator), text.size());
    const std::string_view op = text.substr(0, op_end);
    text.remove_prefix(op_end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    const std::string_view version = text.substr(0, text.find_first_of(kSeparators));
    text.remove_prefix(version.size());
    constexpr std::array<std::string_view, 9> kOperators = {
        "", "=", "!=", "<", "<=", ">", ">=", "~", "^"};
    if (std::find(kOperators.begin(), kOperators.end(), op) == kOperators.end())
      return fail(Blame::Config, "{} is no operator: expected =, !=, <, <=, >, >=, ~ or ^", op);
    if (Status added = add(alternative, op, version); !added)
      return tl::unexpected<Error>(std::move(added.error()));
    any = true;
  }
  if (!any) return fail(Blame::Config, "an empty range; * is every release");
  return alternative;
}

Result<SemanticRange> SemanticRange::parse(std::string_view text) {
  if (text.size() > kMaxLength) return fail(Blame::Config, "longer than {} octets", kMaxLength);
  SemanticRange range;
  for (bool more = true; more;) {
    const std::size_t end = text.find("||");
    more = end != std::string_view::npos;
    auto alternative = parse_alternative(text.substr(0, end));
    if (!alternative) return tl::unexpected<Error>(std::move(alternative.error()));
    range.alternatives_.push_back(std::move(*alternative));
    if (more) text.remove_prefix(end + 2);
  }
  return range;
}

bool SemanticRange::contains(const SemanticVersion& version) const {
  return std::any_of(
      alternatives_.begin(), alternatives_.end(), [&](const Alternative& alternative) {
        if (!version.pre_release.empty() && !alternative.with_pre_releases) return false;
        return std::all_of(alternative.comparators.begin(), alternative.comparators.end(),
                           [&](const Comparator& one) { return one.holds(version); });
      });
}

}  // namespace headgate
