// SPDX-License-Identifier: MIT
// Bech32 (BIP 173), as age writes keys.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::snapshot {

struct Bech32 {
  std::string prefix;  ///< in lower case
  std::vector<std::uint8_t> octets;
};

/// No value for what is none: letters of both cases, a wrong checksum, bits left over. Of any
/// length: age's keys are within the 90 characters of BIP 173 anyway.
std::optional<Bech32> bech32_decode(std::string_view text);

/// In lower case.
std::string bech32_encode(std::string_view prefix, std::span<const std::uint8_t> octets);

}  // namespace headgate::snapshot
