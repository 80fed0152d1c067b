// SPDX-License-Identifier: MIT
// The three date formats of RFC 9110 section 5.6.7, read exactly: what some server invented is no
// date.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "appliance/http/caching.h"

namespace headgate::http {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// Consumes a date from the left; any mismatch makes `ok` false for good.
struct Reader {
  std::string_view rest;
  bool ok = true;

  void literal(std::string_view expected) {
    ok = ok && equals_ignoring_case(rest.substr(0, expected.size()), expected);
    if (ok) rest.remove_prefix(expected.size());
  }
  int digits(std::size_t count) {
    int value = 0;
    ok = ok && rest.size() >= count;
    for (std::size_t i = 0; ok && i < count; ++i) {
      ok = is_digit(rest[i]);
      value = value * 10 + (rest[i] - '0');
    }
    if (ok) rest.remove_prefix(count);
    return value;
  }
  unsigned month() {
    for (unsigned m = 0; ok && m < 12; ++m) {
      if (!equals_ignoring_case(rest.substr(0, 3), kMonths.substr(m * 3, 3))) continue;
      rest.remove_prefix(3);
      return m + 1;
    }
    ok = false;
    return 0;
  }
};

struct Moment {
  int year = 0;
  unsigned month = 0;
  int day = 0, hour = 0, minute = 0, second = 0;
};

void read_time(Reader& in, Moment& t) {
  t.hour = in.digits(2);
  in.literal(":");
  t.minute = in.digits(2);
  in.literal(":");
  t.second = in.digits(2);
}

/// What follows "Sun," in an IMF-fixdate: " 06 Nov 1994 08:49:37 GMT".
void read_imf(Reader& in, Moment& t) {
  in.literal(" ");
  t.day = in.digits(2);
  in.literal(" ");
  t.month = in.month();
  in.literal(" ");
  t.year = in.digits(4);
  in.literal(" ");
  read_time(in, t);
  in.literal(" GMT");
}

/// What follows "Sunday," in an RFC 850 date: " 06-Nov-94 08:49:37 GMT". A year that seems to be
/// more than 50 years in the future was in the past.
void read_rfc850(Reader& in, Moment& t, int this_year) {
  in.literal(" ");
  t.day = in.digits(2);
  in.literal("-");
  t.month = in.month();
  in.literal("-");
  t.year = in.digits(2) + this_year / 100 * 100;
  if (t.year > this_year + 50) t.year -= 100;
  in.literal(" ");
  read_time(in, t);
  in.literal(" GMT");
}

/// What follows "Sun" in an asctime date: " Nov  6 08:49:37 1994".
void read_asctime(Reader& in, Moment& t) {
  in.literal(" ");
  t.month = in.month();
  in.literal(" ");
  const bool one_digit = in.rest.starts_with(' ');
  if (one_digit) in.literal(" ");
  t.day = in.digits(one_digit ? 1 : 2);
  in.literal(" ");
  read_time(in, t);
  in.literal(" ");
  t.year = in.digits(4);
}

int year_of(base::WallTime time) {
  return static_cast<int>(
      std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(time)).year());
}

std::optional<base::WallTime> to_wall_time(const Moment& t) {
  using namespace std::chrono;
  const year_month_day date(year(t.year), month(t.month), day(static_cast<unsigned>(t.day)));
  // Second 60 is a leap second, which the wall clock does not count.
  if (!date.ok() || t.hour > 23 || t.minute > 59 || t.second > 60) return std::nullopt;
  return base::WallTime(sys_days(date) + hours(t.hour) + minutes(t.minute) +
                        seconds(std::min(t.second, 59)));
}

}  // namespace

std::optional<base::WallTime> parse_http_date(std::string_view text) {
  return parse_http_date(text, base::wall_now());
}

std::optional<base::WallTime> parse_http_date(std::string_view text, base::WallTime now) {
  for (const std::string_view day : kDays) {
    if (!equals_ignoring_case(text.substr(0, 3), day.substr(0, 3))) continue;
    Reader in{.rest = text.substr(3)};
    Moment moment;
    if (in.rest.starts_with(',')) {
      in.literal(",");
      read_imf(in, moment);
    } else if (in.rest.starts_with(' ')) {
      read_asctime(in, moment);
    } else {
      in.literal(day.substr(3));
      in.literal(",");
      read_rfc850(in, moment, year_of(now));
    }
    if (!in.ok || !in.rest.empty()) return std::nullopt;
    return to_wall_time(moment);
  }
  return std::nullopt;
}

void format_http_date(base::WallTime time, char* out) {
  using namespace std::chrono;
  const auto days_since_epoch = floor<days>(time);
  const year_month_day date(days_since_epoch);
  const auto second_of_day =
      static_cast<int>(duration_cast<seconds>(time - days_since_epoch).count());
  const auto put = [&out](std::string_view text) {
    std::memcpy(out, text.data(), text.size());
    out += text.size();
  };
  const auto two = [&out](int value) {
    *out++ = static_cast<char>('0' + value / 10 % 10);
    *out++ = static_cast<char>('0' + value % 10);
  };
  const int year = static_cast<int>(date.year());
  put(kDays[weekday(days_since_epoch).c_encoding()].substr(0, 3));
  put(", ");
  two(static_cast<int>(static_cast<unsigned>(date.day())));
  put(" ");
  put(kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
  put(" ");
  two(year / 100);
  two(year);
  put(" ");
  two(second_of_day / 3600);
  put(":");
  two(second_of_day / 60 % 60);
  put(":");
  two(second_of_day % 60);
  put(" GMT");
}

}  // namespace headgate::http
