// SPDX-License-Identifier: MIT
#include "appliance/cache/disk/encrypted/encrypted_device.h"

#include <string>

namespace headgate::cache::disk {

Status EncryptedDevice::read(std::uint64_t offset, std::span<char> into) {
  HG_CHECK(inner_.read(offset, into), "encrypted");
  return cipher_.decrypt(offset, into, into);
}

Status EncryptedDevice::write(std::uint64_t offset, std::span<const char> octets) {
  std::string encrypted(octets.size(), '\0');
  HG_CHECK(cipher_.encrypt(offset, octets, encrypted), "writing");
  return inner_.write(offset, encrypted);
}

bool EncryptedReads::read(std::uint64_t offset, std::uint64_t bytes, Done done) {
  return inner_->read(
      offset, bytes,
      [this, offset, done = std::move(done)](Status read, std::string_view octets) mutable {
        std::string plain(octets.size(), '\0');
        if (read) read = cipher_.decrypt(offset, octets, plain);
        done(std::move(read), plain);
      });
}

}  // namespace headgate::cache::disk
