// SPDX-License-Identifier: MIT
#include "appliance/cache/fill/slice_fill.h"

#include <utility>

namespace headgate::cache {

FillTable::Joined join_slice(Store& store, FillTable& fills, const Key& key,
                             const PurgeTable& purges, const UriInvalidations& changes,
                             std::uint64_t generation, base::MonoTime now) {
  FillTable::Joined joined = fills.join(key, purges, changes, generation, now);
  if (joined.role != FillTable::Role::Leader) return joined;
  // A fetch stores before it leaves the table: whoever leads after one sees what that has stored.
  auto stored = store.find_slice(key);
  if (!stored) return joined;
  joined.fill->respond(std::move(stored), true);
  fills.finish(*joined.fill);
  joined.role = FillTable::Role::Follower;
  return joined;
}

}  // namespace headgate::cache
