// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "appliance/base/idle_time.h"

namespace headgate::base {
namespace {

constexpr const char* kProcStat =
    "cpu  1100 0 0 2200 11 0 0 0 0 0\n"
    "cpu0 100 20 30 200 5 6 7 8 90 9\n"
    "cpu1 1000 0 0 2000 6 0 0 0 0 0\n"
    "intr 12 34\n"
    "cpux 1 2 3\n";

TEST_CASE("the time of the processors that a process may use is added up, guests counted once") {
  const ProcessorTime first = processor_time(kProcStat, {true, false});
  CHECK(first.idle == 205);
  CHECK(first.total == 376);
  const ProcessorTime both = processor_time(kProcStat, {true, true});
  CHECK(both.idle == 2211);
  CHECK(both.total == 3382);
  CHECK(processor_time("", {true}).total == 0);
  CHECK(processor_time("cpu0 12 x", {true}).total == 12);
}

TEST_CASE("idle time is left where a tenth of the time since the last call was idle") {
  IdleTime time;
  CHECK_FALSE(time.is_left({.idle = 500, .total = 1000}));  // since when?
  CHECK(time.is_left({.idle = 510, .total = 1100}));
  CHECK_FALSE(time.is_left({.idle = 519, .total = 1200}));
  CHECK_FALSE(time.is_left({.idle = 522, .total = 1203}));  // too few ticks to tell
  CHECK(time.is_left({.idle = 529, .total = 1300}));
  CHECK(time.is_left({.idle = 100, .total = 900}));  // a processor went away: as it was
  CHECK_FALSE(time.is_left({.idle = 100, .total = 1000}));
}

TEST_CASE("this machine tells the time of its processors") {
  IdleTime time;
  time.is_left();
  CHECK(time.seen().total > 0);
}

}  // namespace
}  // namespace headgate::base
