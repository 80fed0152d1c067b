// SPDX-License-Identifier: MIT
// A device that has only what a key makes of the octets, and reads that make them what they were.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "appliance/cache/disk/device.h"
#include "appliance/cache/disk/encrypted/block_cipher.h"
#include "appliance/cache/disk/reads/reads.h"

namespace headgate::cache::disk {

/// All of it is encrypted, the superblocks too: with another key the device is one that was never
/// written. Threads: as `inner`, which lives as long.
class EncryptedDevice final : public Device {
 public:
  EncryptedDevice(Device& inner, const BlockCipher& cipher) : inner_(inner), cipher_(cipher) {}

  std::uint64_t size_bytes() const override { return inner_.size_bytes(); }
  Status read(std::uint64_t offset, std::span<char> into) override;
  Status write(std::uint64_t offset, std::span<const char> octets) override;
  Status sync() override { return inner_.sync(); }

 private:
  Device& inner_;
  const BlockCipher cipher_;
};

/// Threads: as `inner`; octets are decrypted on the thread that calls `done`.
class EncryptedReads final : public Reads {
 public:
  EncryptedReads(std::unique_ptr<Reads> inner, const BlockCipher& cipher)
      : cipher_(cipher), inner_(std::move(inner)) {}

  bool read(std::uint64_t offset, std::uint64_t bytes, Done done) override;
  std::string_view name() const override { return inner_->name(); }

 private:
  const BlockCipher cipher_;
  const std::unique_ptr<Reads> inner_;  ///< its threads end before the cipher
};

}  // namespace headgate::cache::disk
