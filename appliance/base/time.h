// SPDX-License-Identifier: MIT
// The two clocks of the edge and why there are two: deadlines and ages must not jump when the wall
// clock is set.
#pragma once

#include <chrono>

#include "schema/base/units.h"

namespace headgate::base {

/// Never goes backwards; timers, timeouts, resident time of cached responses.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// What a Date field says; may be set at any moment.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

inline MonoTime mono_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}
inline WallTime wall_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

}  // namespace headgate::base
