// SPDX-License-Identifier: MIT
// Moments as RFC 3339 writes them.
#include <fmt/format.h>

#include <algorithm>

#include "schema/base/units.h"

namespace headgate {
namespace {

using Days = std::chrono::sys_days;

/// Takes fixed numbers of digits and single characters off a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool number(std::size_t digits, int& value) {
    if (rest_.size() < digits) return false;
    value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return false;
      value = 10 * value + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }
  bool character(std::string_view one_of) {
    if (rest_.empty() || one_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Milliseconds after a point; further digits are dropped.
  bool fraction(int& milliseconds) {
    milliseconds = 0;
    if (!character(".")) return true;
    int weight = 100;
    std::size_t digits = 0;
    for (int digit = 0; number(1, digit); ++digits, weight /= 10) milliseconds += digit * weight;
    return digits > 0 && digits <= 9;
  }
  /// Minutes to the east.
  bool offset(int& minutes) {
    minutes = 0;
    if (character("Zz")) return true;
    const bool west = !rest_.empty() && rest_.front() == '-';
    int hour = 0;
    int minute = 0;
    if (!character("+-") || !number(2, hour) || !character(":") || !number(2, minute)) return false;
    if (hour > 23 || minute > 59) return false;
    minutes = (west ? -1 : 1) * (60 * hour + minute);
    return true;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool read(std::string_view text, Timestamp& value) {
  Scanner in(text);
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int milliseconds = 0;
  int offset = 0;
  if (!in.number(4, year) || !in.character("-") || !in.number(2, month) || !in.character("-") ||
      !in.number(2, day) || !in.character("Tt") || !in.number(2, hour) || !in.character(":") ||
      !in.number(2, minute) || !in.character(":") || !in.number(2, second) ||
      !in.fraction(milliseconds) || !in.offset(offset) || !in.at_end())
    return false;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return false;
  value = Timestamp(Days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute - offset) +
          std::chrono::seconds(second) + Duration(milliseconds);
  return true;
}

}  // namespace

Result<Timestamp> parse_timestamp(std::string_view text) {
  Timestamp value;
  if (read(text, value)) return value;
  return fail(Blame::Config, "a moment is written 2026-11-20T10:00:00Z, or with an offset +01:00");
}

std::string format_timestamp(Timestamp value) {
  const auto days = std::chrono::floor<std::chrono::days>(value);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss time(value - days);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", int(date.year()),
                                 unsigned(date.month()), unsigned(date.day()), time.hours().count(),
                                 time.minutes().count(), time.seconds().count());
  if (const auto rest = time.subseconds().count(); rest != 0) text += fmt::format(".{:03}", rest);
  return text + "Z";
}

}  // namespace headgate
