// SPDX-License-Identifier: MIT
// Quantities as people write them in YAML and on the command line: durations and sizes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate {

using Duration = std::chrono::milliseconds;
/// A moment by the wall clock, UTC.
using Timestamp = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// "250ms", "30s", "5m", "24h", "30d", or a bare integer of seconds; non-negative.
/// Errors: Blame::Config with what was expected.
Result<Duration> parse_duration(std::string_view text);

/// The shortest spelling that parse_duration reads back: 5400 s → "90m", 0 → "0s".
std::string format_duration(Duration value);

/// RFC 3339 section 5.6 with an offset: "2026-11-20T10:00:00Z", "2026-11-20T11:00:00.5+01:00".
/// Errors: Blame::Config with what was expected.
Result<Timestamp> parse_timestamp(std::string_view text);

/// "2026-11-20T10:00:00Z"; with milliseconds only where there are some.
std::string format_timestamp(Timestamp value);

/// Octets: "0", "512", "64KiB", "1MiB", "10GiB", "1TiB"; also "kB", "MB", "GB" in powers of 1000.
Result<std::uint64_t> parse_size(std::string_view text);

/// The shortest exact spelling in powers of 1024, else plain octets.
std::string format_size(std::uint64_t octets);

}  // namespace headgate
