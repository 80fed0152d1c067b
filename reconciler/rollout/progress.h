// SPDX-License-Identifier: MIT
// How far what is under way has come, on disk, so that a restart does not begin it anew.
//
// What is staged or watched, and which step it has reached, are in the journal. This file says how
// long that has been so, as time that is left: no clock has to be the same after a restart, and the
// time in which nothing served does not count. Without it, or with one that is damaged, a step or a
// window begins anew: rather too long than too short.
//
// File: {"generation": 17, "step": 2, "leftMs": {"": 41250}}, sealed (state/sealed_file.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "reconciler/state/disk.h"
#include "schema/base/units.h"

namespace headgate::reconciler {

/// By distribution; of a canary's step under "".
using TimeLeft = std::map<std::string, Duration>;

struct Progress {
  std::uint64_t generation = 0;  ///< that is staged, or watched
  std::size_t step = 0;          ///< of what is staged, from 1; 0: it is watched
  TimeLeft left;
};

/// Durable when it returns. Errors: Blame::Self; what was there before is there still.
Status write_progress(Disk& disk, const std::string& path, const Progress& progress);
/// None when there is no such file. Errors: Blame::Self when it is damaged or cannot be read.
Result<std::optional<Progress>> read_progress(const std::string& path);

}  // namespace headgate::reconciler
