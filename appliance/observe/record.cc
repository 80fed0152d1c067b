// SPDX-License-Identifier: MIT
// The words for a CacheOutcome.
#include "appliance/observe/record.h"

namespace headgate::observe {

std::string_view name(CacheOutcome outcome) {
  switch (outcome) {
    case CacheOutcome::Bypass:
      return "bypass";
    case CacheOutcome::Miss:
      return "miss";
    case CacheOutcome::HitForMiss:
      return "hit_for_miss";
    case CacheOutcome::FreshHit:
      return "fresh_hit";
    case CacheOutcome::StaleHit:
      return "stale_hit";
    case CacheOutcome::RevalidatedHit:
      return "revalidated_hit";
    case CacheOutcome::CollapsedHit:
      return "collapsed_hit";
    case CacheOutcome::Error:
      return "error";
    case CacheOutcome::kCount:
      break;
  }
  return "bypass";
}

}  // namespace headgate::observe
