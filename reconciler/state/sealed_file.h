// SPDX-License-Identifier: MIT
// Small files that can be lost, but must not be believed when they are damaged: one line of JSON,
// and one with its SHA-256 in hex.
#pragma once

#include <optional>
#include <string>

#include "reconciler/state/disk.h"
#include "reconciler/state/journal.h"

namespace headgate::reconciler {

/// Durable when it returns. Errors: Blame::Self; what was there before is there still.
Status write_sealed(Disk& disk, const std::string& path, const Json& object);
/// None when there is no such file. Errors: Blame::Self when it is damaged or cannot be read.
Result<std::optional<Json>> read_sealed(const std::string& path);

}  // namespace headgate::reconciler
