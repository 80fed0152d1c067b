// SPDX-License-Identifier: MIT
// The few operations by which state reaches the disk, in one place so that tests can stop the power
// at each of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::reconciler {

/// Every operation is done, or fails with the path or what was tried; a write may have been done in
/// part. Threads: any.
class Disk {
 public:
  virtual ~Disk() = default;
  /// Appends all of `bytes` at the descriptor's position.
  virtual Status write(int fd, std::string_view bytes);
  virtual Status sync(int fd);
  virtual Status truncate(int fd, std::uint64_t size_bytes);
  virtual Status rename(const std::string& from, const std::string& to);
  /// Makes renames, creations and removals in a folder durable.
  virtual Status sync_folder(const std::string& path);
  virtual Status remove(const std::string& path);
};

/// Writes `path` so that after a crash it holds either what it held before, or all of `bytes`.
Status replace_file(Disk& disk, const std::string& path, std::string_view bytes);

/// The whole file. Errors: Blame::Self with the reason; a file larger than `limit_bytes` is one.
Result<std::string> read_file(const std::string& path, std::uint64_t limit_bytes);

/// A file descriptor that is closed with its scope.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  File& operator=(File&& other) noexcept;
  ~File();
  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace headgate::reconciler
