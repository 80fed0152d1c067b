// SPDX-License-Identifier: MIT
// Blocks of a device, encrypted where they lie.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::cache::disk {

/// AES-256-XTS (IEEE 1619, NIST SP 800-38E), as disks are encrypted everywhere: a block becomes one
/// of the same size that depends on the key and on where it lies, so that it may be written again.
/// It hides what is stored, not how much, and not which blocks change. What is altered on the disk
/// becomes noise, which the records' checksums find. Threads: any.
class BlockCipher {
 public:
  static constexpr std::size_t kLeastKeyBytes = 32;

  /// `key`: as random as its length promises, for instance of `openssl rand -base64 32`; white
  /// space at its end does not count. Blame::Config when it is shorter than kLeastKeyBytes.
  static Result<BlockCipher> make(std::string_view key);
  ~BlockCipher();
  BlockCipher(const BlockCipher&) = default;
  BlockCipher& operator=(const BlockCipher&) = default;

  /// Whole blocks (Device::kBlockBytes) from `offset` of the device on, which is a multiple as
  /// well; `into` is as long as `from`. Errors: Blame::Self, what OpenSSL says.
  Status encrypt(std::uint64_t offset, std::span<const char> from, std::span<char> into) const;
  Status decrypt(std::uint64_t offset, std::span<const char> from, std::span<char> into) const;

 private:
  BlockCipher() = default;
  Status run(bool encrypts, std::uint64_t offset, std::span<const char> from,
             std::span<char> into) const;

  std::array<unsigned char, 64> key_{};
};

}  // namespace headgate::cache::disk
