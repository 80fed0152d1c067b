// SPDX-License-Identifier: MIT
// Request collapsing for slices: who comes just after a fetch has ended finds what it stored.
#pragma once

#include <cstdint>

#include "appliance/base/time.h"
#include "appliance/cache/fill/fill.h"
#include "appliance/cache/purge/table.h"
#include "appliance/cache/purge/uri_invalidation.h"
#include "appliance/cache/store/store.h"

namespace headgate::cache {

/// FillTable::join for a slice. Between the caller's look-up and its joining another's fetch may
/// have stored the slice and ended: then the caller is no leader, but follows a fill that has what
/// is stored, and nobody asks the origin twice. Threads: any.
FillTable::Joined join_slice(Store& store, FillTable& fills, const Key& key,
                             const PurgeTable& purges, const UriInvalidations& changes,
                             std::uint64_t generation, base::MonoTime now);

}  // namespace headgate::cache
