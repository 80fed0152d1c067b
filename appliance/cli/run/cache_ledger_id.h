// SPDX-License-Identifier: MIT
// Which purges hold for what is on the cache's disk: a random number beside the journal.
#pragma once

#include <cstdint>
#include <string>

#include "reconciler/state/disk.h"
#include "schema/base/result.h"

namespace headgate::cli {

/// Made of the number in STATE/cache-ledger (a new one is kept there when there is none, or the
/// ledger `is_new`) and of the journal's last damage. Errors: Blame::Self with the reason.
Result<std::uint64_t> cache_ledger_id(reconciler::Disk& disk, const std::string& state,
                                      bool is_new);
/// Purges and changes are not followed for the disk any more: the next one begins empty.
Status forget_cache_ledger_id(reconciler::Disk& disk, const std::string& state);

}  // namespace headgate::cli
