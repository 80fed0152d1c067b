// SPDX-License-Identifier: MIT
// What /status and /metrics tell of the edge beyond the reconciler's part.
#pragma once

#include <vector>

#include "appliance/cache/store/store.h"
#include "appliance/cache/tier/disk_tier.h"
#include "appliance/cli/client/client.h"
#include "appliance/guard/waf/rules/shared.h"
#include "appliance/observe/metrics.h"
#include "appliance/server/transfer/encoding.h"
#include "appliance/snapshot/configuration.h"

namespace headgate::cli {

/// Octets and events of the cache.
Json cache_json(const cache::StoreStats& stats);
std::vector<observe::Family> cache_families(const cache::StoreStats& stats);
Json cache_disk_json(const cache::DiskTierStats& stats);
std::vector<observe::Family> cache_disk_families(const cache::DiskTierStats& stats);
std::vector<observe::Family> miss_curve_families(const cache::MissCurveStats& stats);
/// What encoding responses has cost and brought, by encoding.
std::vector<observe::Family> compression_families(const server::EncodingStats& stats);

/// What rules of web ACLs have done, and what they and rate rules keep.
std::vector<observe::Family> waf_families(const guard::waf::Shared& shared,
                                          std::uint64_t held_body_octets);

/// One object an origin of a distribution: its address, and whether it is `up` or `down`.
Json origins_json(const snapshot::Configuration& configuration);

/// What has been served since the start.
Json traffic_json(const observe::Totals& totals);

/// One object a distribution: its certificate, or that it serves the self-signed one.
Json certificates_json(const snapshot::Configuration& configuration);

}  // namespace headgate::cli
