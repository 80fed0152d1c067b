// SPDX-License-Identifier: MIT
// Hashes: one for tables (xxh3, fast, not against adversaries who know the seed), one for what is
// on disk (crc32c).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headgate::base {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

/// xxh3-128, seeded once per process with a random number, so that nobody outside can choose
/// colliding keys.
Hash128 hash128(std::string_view bytes);

/// CRC-32C (Castagnoli), as RFC 3720 appendix B.4 gives its test vectors. `seed` continues an
/// earlier value.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace headgate::base
