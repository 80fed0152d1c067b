// SPDX-License-Identifier: MIT
// Where the disk tier keeps its octets: a file, a block device, or a test's memory.
#pragma once

#include <cstdint>
#include <span>

#include "schema/base/result.h"

namespace headgate::cache::disk {

/// Reads and writes at offsets, in multiples of kBlockBytes. Threads: any; who writes a place while
/// another reads it gives that one any mixture.
class Device {
 public:
  static constexpr std::uint64_t kBlockBytes = 4096;

  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  virtual std::uint64_t size_bytes() const = 0;
  /// All of it or an error.
  virtual Status read(std::uint64_t offset, std::span<char> into) = 0;
  virtual Status write(std::uint64_t offset, std::span<const char> octets) = 0;
  /// What was written before will be there after a crash.
  virtual Status sync() = 0;
};

}  // namespace headgate::cache::disk
