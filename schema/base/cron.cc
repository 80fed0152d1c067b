// SPDX-License-Identifier: MIT
// When a schedule is due: the five fields of crontab(5), in UTC.
#include "schema/base/cron.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

namespace headgate {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

/// 29 February comes within eight years.
constexpr days kHorizon{8 * 366};

struct Span {
  const char* name;
  unsigned low;
  unsigned high;
  std::vector<std::string_view> names;  ///< of low, low + 1, …
};

const std::array<Span, 5>& spans() {
  static const std::array<Span, 5> kSpans = {
      {{"the minute", 0, 59, {}},
       {"the hour", 0, 23, {}},
       {"the day of the month", 1, 31, {}},
       {"the month",
        1,
        12,
        {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
       {"the day of the week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}}};
  return kSpans;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > 4 || error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

std::optional<unsigned> value_of(const Span& span, std::string_view text) {
  const auto named = std::find(span.names.begin(), span.names.end(), lower(text));
  if (named != span.names.end())
    return span.low + static_cast<unsigned>(named - span.names.begin());
  const auto value = number(text);
  return value && *value >= span.low && *value <= span.high ? value : std::nullopt;
}

/// "*", "5", "1-5", each with "/2": bits. 0 when it is none of these.
std::uint64_t bits_of_item(const Span& span, std::string_view item) {
  unsigned step = 1;
  bool open = false;
  if (const auto slash = item.find('/'); slash != std::string_view::npos) {
    const auto given = number(item.substr(slash + 1));
    if (!given || *given == 0) return 0;
    step = *given;
    open = true;
    item = item.substr(0, slash);
  }
  unsigned low = span.low;
  unsigned high = span.high;
  if (item != "*") {
    const auto dash = item.find('-');
    const auto first = value_of(span, item.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : value_of(span, item.substr(dash + 1));
    if (!first || !last || *last < *first) return 0;
    low = *first;
    high = dash == std::string_view::npos && open ? span.high : *last;
  }
  std::uint64_t bits = 0;
  for (unsigned value = low; value <= high; value += step) bits |= std::uint64_t{1} << value;
  return bits;
}

Result<std::uint64_t> bits_of(const Span& span, std::string_view field) {
  std::uint64_t bits = 0;
  for (std::string_view rest = field;;) {
    const auto comma = rest.find(',');
    const std::uint64_t item = bits_of_item(span, rest.substr(0, comma));
    if (item == 0)
      return fail(Blame::Config, "{} of a schedule is {} to {}, *, a list, a range or */step",
                  span.name, span.low, span.high);
    bits |= item;
    if (comma == std::string_view::npos) return bits;
    rest.remove_prefix(comma + 1);
  }
}

std::string_view expand(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kShort = {
      {{"@hourly", "0 * * * *"},
       {"@daily", "0 0 * * *"},
       {"@midnight", "0 0 * * *"},
       {"@weekly", "0 0 * * 0"},
       {"@monthly", "0 0 1 * *"},
       {"@yearly", "0 0 1 1 *"}}};
  for (const auto& [name, fields] : kShort)
    if (text == name) return fields;
  return text;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (true) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return out;
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(" \t"), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

bool has(std::uint64_t bits, unsigned value) { return (bits >> value & 1) != 0; }

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  const std::vector<std::string_view> fields = words(expand(text));
  if (fields.size() != 5)
    return fail(Blame::Config,
                "a schedule has five fields: minute, hour, day of the month, month, day of the "
                "week; this one has {}",
                fields.size());
  Cron cron;
  const std::array<std::uint64_t*, 5> members = {&cron.minutes_, &cron.hours_, &cron.days_,
                                                 &cron.months_, &cron.weekdays_};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    HG_TRY(*members[i], bits_of(spans()[i], fields[i]), "cron");
  }
  if (has(cron.weekdays_, 7)) cron.weekdays_ |= 1;  // Sunday has two numbers
  cron.any_day_ = fields[2].starts_with('*');
  cron.any_weekday_ = fields[4].starts_with('*');
  if (!cron.next(Timestamp())) return fail(Blame::Config, "this schedule never comes");
  return cron;
}

bool Cron::takes_day(sys_days day) const {
  const std::chrono::year_month_day date(day);
  if (!has(months_, unsigned(date.month()))) return false;
  const bool by_date = has(days_, unsigned(date.day()));
  const bool by_weekday = has(weekdays_, std::chrono::weekday(day).c_encoding());
  return any_day_ || any_weekday_ ? by_date && by_weekday : by_date || by_weekday;
}

std::optional<Timestamp> Cron::latest(Timestamp after, Timestamp until) const {
  const auto last_day = std::chrono::floor<days>(until);
  const auto first_day = std::max(std::chrono::floor<days>(after), last_day - kHorizon);
  for (sys_days day = last_day; day >= first_day; day -= days(1)) {
    if (!takes_day(day)) continue;
    for (int minute = 24 * 60 - 1; minute >= 0; --minute) {
      const Timestamp due = Timestamp(day) + std::chrono::minutes(minute);
      if (due <= after) return std::nullopt;
      if (due <= until && has(hours_, static_cast<unsigned>(minute / 60)) &&
          has(minutes_, static_cast<unsigned>(minute % 60)))
        return due;
    }
  }
  return std::nullopt;
}

std::optional<Timestamp> Cron::next(Timestamp after) const {
  const auto first_day = std::chrono::floor<days>(after);
  for (sys_days day = first_day; day <= first_day + kHorizon; day += days(1)) {
    if (!takes_day(day)) continue;
    for (int minute = 0; minute < 24 * 60; ++minute) {
      const Timestamp due = Timestamp(day) + std::chrono::minutes(minute);
      if (due > after && has(hours_, static_cast<unsigned>(minute / 60)) &&
          has(minutes_, static_cast<unsigned>(minute % 60)))
        return due;
    }
  }
  return std::nullopt;
}

}  // namespace headgate
