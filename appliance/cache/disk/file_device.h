// SPDX-License-Identifier: MIT
// A file or a block device as the disk tier's Device.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "appliance/cache/disk/device.h"

namespace headgate::cache::disk {

/// Goes past the page cache where the file system lets it, as what is hot is in the memory tier
/// already: offsets and sizes are multiples of a block anyway.
/// Threads: any; blocks. A process has a file once: what is locked is the process's, and a second
/// one's end would unlock the first.
class FileDevice final : public Device {
 public:
  /// Makes the file, readable by its owner only, with room for `size_bytes`; of a block device, its
  /// own size counts where that is less. Fails when another process has it.
  static Result<std::unique_ptr<FileDevice>> open(const std::string& path,
                                                  std::uint64_t size_bytes);
  ~FileDevice() override;

  std::uint64_t size_bytes() const override { return size_bytes_; }
  Status read(std::uint64_t offset, std::span<char> into) override;
  Status write(std::uint64_t offset, std::span<const char> octets) override;
  Status sync() override;
  /// For who reads it in another way: as `is_direct` says, into AlignedOctets.
  int descriptor() const { return descriptor_; }
  bool is_direct() const { return why_not_direct_.empty(); }
  /// Empty when it is.
  const std::string& why_not_direct() const { return why_not_direct_; }
  /// Another process may have it now; nothing may be written here any more.
  void unlock();

 private:
  explicit FileDevice(int descriptor) : descriptor_(descriptor) {}
  Status lock(const std::string& path);
  void try_direct();

  const int descriptor_;
  std::uint64_t size_bytes_ = 0;  ///< set by `open`
  std::string why_not_direct_;
};

}  // namespace headgate::cache::disk
