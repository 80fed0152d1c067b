// SPDX-License-Identifier: MIT
// When a schedule is due: the five fields of crontab(5), in UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "schema/base/result.h"
#include "schema/base/units.h"

namespace headgate {

/// Minute, hour, day of the month, month, day of the week: numbers, names (jan, mon), `*`, lists,
/// ranges and steps, and @hourly, @daily, @weekly, @monthly, @yearly. When both days are restricted
/// either suffices, as in crontab(5). Threads: immutable.
class Cron {
 public:
  /// Errors: Blame::Config with what is wrong; also when the schedule never comes, as on 31
  /// February.
  static Result<Cron> parse(std::string_view text);

  /// The last due minute in (`after`, `until`]; none when there is none.
  std::optional<Timestamp> latest(Timestamp after, Timestamp until) const;
  /// The first due minute after `after`.
  std::optional<Timestamp> next(Timestamp after) const;

 private:
  bool takes_day(std::chrono::sys_days day) const;

  std::uint64_t minutes_ = 0;  ///< a bit each
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0;
  std::uint64_t months_ = 0;
  std::uint64_t weekdays_ = 0;
  bool any_day_ = false;      ///< `*` as the day of the month
  bool any_weekday_ = false;  ///< `*` as the day of the week
};

}  // namespace headgate
