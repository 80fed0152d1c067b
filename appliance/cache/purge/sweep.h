// SPDX-License-Identifier: MIT
// What follows a purge in the background: memory is freed, and rules that nothing is older than go.
#pragma once

#include <string>
#include <vector>

#include "appliance/cache/fill/fill.h"
#include "appliance/cache/store/store.h"

namespace headgate::cache {

struct Swept {
  std::vector<std::string> rules;  ///< ids of those that are not needed any more
  std::uint64_t epoch = 0;         ///< for PurgeTable::set_swept_epoch when they are taken out
};

/// Goes through what is stored once, in steps: removes what was purged hard, marks what was purged
/// softly as to be revalidated, counts both. A rule is swept when no response can be older than it
/// any more without bearing such a mark: neither a stored one, nor one that is still being fetched;
/// and, while it can be undone, when nothing that it selects is left; nor one on the store's disk,
/// which nobody walks through: there its region has to go. `purges` must be the table
/// that is published. Threads: one at a time, in the background; takes milliseconds for each
/// thousand responses.
Swept sweep(Store& store, const FillTable& fills, const PurgeTable& purges);

/// What each rule of `purges` would make invalid of what is stored now, in their order; changes
/// nothing. `purges` is a table of the caller's own. Threads: any; goes through what is stored
/// once, in milliseconds for each thousand responses.
std::vector<Selected> count_selected(Store& store, const PurgeTable& purges);

}  // namespace headgate::cache
