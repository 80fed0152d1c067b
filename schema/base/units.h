// SPDX-License-Identifier: MIT
// Quantities as people write them in YAML and on the command line: durations and sizes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate {

using Duration = std::chrono::milliseconds;

/// "250ms", "30s", "5m", "24h", "30d", or a bare integer of seconds; non-negative.
/// Errors: Blame::Config with what was expected.
Result<Duration> parse_duration(std::string_view text);

/// The shortest spelling that parse_duration reads back: 5400 s → "90m", 0 → "0s".
std::string format_duration(Duration value);

/// Octets: "0", "512", "64KiB", "1MiB", "10GiB", "1TiB"; also "kB", "MB", "GB" in powers of 1000.
Result<std::uint64_t> parse_size(std::string_view text);

/// The shortest exact spelling in powers of 1024, else plain octets.
std::string format_size(std::uint64_t octets);

}  // namespace headgate
