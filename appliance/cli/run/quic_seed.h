// SPDX-License-Identifier: MIT
// The secret that connection ids and tokens of QUIC are made with, kept in the state folder.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "reconciler/state/disk.h"
#include "schema/base/result.h"

namespace headgate::cli {

/// STATE/tls/quic-seed, made when it is missing: 32 octets, for the owner only. With the same seed
/// a restarted edge can tell clients that their connections are no more, and knows the tokens that
/// it gave them. Errors: Blame::Self with the path; Blame::Config when the file is not a seed.
Result<std::array<std::uint8_t, 32>> quic_seed(reconciler::Disk& disk, const std::string& state);

}  // namespace headgate::cli
