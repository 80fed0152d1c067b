// SPDX-License-Identifier: MIT
// Requests of one generation, counted so that it can be compared with another one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace headgate::observe {

/// A generation's requests are counted in lane `generation % kLanes`, which no other one uses that
/// still has requests under way, and which is never set to zero: take differences.
inline constexpr std::size_t kLanes = 4;

/// Upper bounds in µs: from a hit in memory to an origin's time limit.
inline constexpr std::array<std::uint64_t, 18> kBucketsUs = {
    50,     100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};
inline constexpr std::size_t kBuckets = kBucketsUs.size() + 1;  ///< the last one is beyond them

inline std::size_t bucket_of(std::uint64_t us) {
  std::size_t bucket = 0;
  while (bucket < kBucketsUs.size() && us > kBucketsUs[bucket]) ++bucket;
  return bucket;
}

/// Of requests that were answered. A request may count as several of these.
struct Tally {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;         ///< 5xx that nobody has asked for
  std::uint64_t origin_errors = 0;  ///< the origin failed, whatever the viewer got
  std::uint64_t blocks = 0;         ///< geo restrictions, web ACLs, rate limits
  std::array<std::uint64_t, kBuckets> first_octet{};  ///< by the time to the first octet

  Tally& operator+=(const Tally& other) { return combine(other, 1); }
  Tally& operator-=(const Tally& other) { return combine(other, ~std::uint64_t{0}); }

 private:
  /// Modulo 2^64, in which a factor of all ones is -1.
  Tally& combine(const Tally& other, std::uint64_t factor) {
    requests += factor * other.requests;
    errors += factor * other.errors;
    origin_errors += factor * other.origin_errors;
    blocks += factor * other.blocks;
    for (std::size_t i = 0; i < kBuckets; ++i) first_octet[i] += factor * other.first_octet[i];
    return *this;
  }
};

struct SlotTally {
  std::string distribution;
  std::string behavior;
  Tally tally;
};

}  // namespace headgate::observe
