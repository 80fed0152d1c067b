// SPDX-License-Identifier: MIT
// A device in memory that remembers its writes, so that tests may have any crash that they want,
// and that fails when told to.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "appliance/cache/disk/device.h"

namespace headgate::test {

/// Threads: none of its own.
class FaultDevice final : public cache::disk::Device {
 public:
  struct Write {
    std::uint64_t offset;
    std::string octets;
    std::size_t synced_before;  ///< how many writes a sync had made sure of when it came
  };

  explicit FaultDevice(std::uint64_t size_bytes) : bytes(size_bytes, '\0') {}
  explicit FaultDevice(std::string image) : bytes(std::move(image)) {}

  std::uint64_t size_bytes() const override { return bytes.size(); }
  Status read(std::uint64_t offset, std::span<char> into) override {
    if (fails_reads) return fail(Blame::Self, "read at {}: broken", offset);
    if (offset + into.size() > bytes.size()) return fail(Blame::Self, "read beyond the end");
    std::memcpy(into.data(), bytes.data() + offset, into.size());
    return {};
  }
  Status write(std::uint64_t offset, std::span<const char> octets) override {
    if (offset % kBlockBytes != 0 || octets.size() % kBlockBytes != 0)
      return fail(Blame::Self, "write at {}: not in blocks", offset);
    if (offset + octets.size() > bytes.size()) return fail(Blame::Self, "write beyond the end");
    if (fails_writes) return fail(Blame::Self, "write at {}: no space left", offset);
    std::memcpy(bytes.data() + offset, octets.data(), octets.size());
    if (records) writes.push_back({offset, std::string(octets.data(), octets.size()), synced});
    return {};
  }
  Status sync() override {
    synced = writes.size();
    return {};
  }

  /// What is there when the machine dies in the middle of write number `count`, of which `torn`
  /// octets have arrived. `image`: as it was before the first.
  std::string crashed(std::string image, std::size_t count, std::size_t torn) const {
    for (std::size_t i = 0; i < count; ++i) apply(image, writes[i], writes[i].octets.size());
    if (count < writes.size()) apply(image, writes[count], torn);
    return image;
  }
  static void apply(std::string& image, const Write& write, std::size_t octets) {
    std::memcpy(image.data() + write.offset, write.octets.data(),
                std::min(octets, write.octets.size()));
  }

  std::string bytes;
  bool records = false;
  std::vector<Write> writes;
  std::size_t synced = 0;
  bool fails_writes = false;
  bool fails_reads = false;
};

}  // namespace headgate::test
