// SPDX-License-Identifier: MIT
#include "appliance/cache/disk/file_device.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace headgate::cache::disk {
namespace {

template <class... Args>
tl::unexpected<Error> fail_of(int error, fmt::format_string<Args...> what, Args&&... args) {
  return fail(Blame::Self, "{}: {}", fmt::format(what, std::forward<Args>(args)...),
              std::strerror(error));
}

/// Room for `size_bytes`, so that a full disk is found out now.
Result<std::uint64_t> make_room(int descriptor, const std::string& path, std::uint64_t size_bytes) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return fail_of(errno, "fstat of {}", path);
  if (S_ISBLK(status.st_mode)) {
    const off_t end = ::lseek(descriptor, 0, SEEK_END);
    if (end < 0) return fail_of(errno, "lseek in {}", path);
    return std::min(size_bytes, static_cast<std::uint64_t>(end));
  }
  if (!S_ISREG(status.st_mode))
    return fail(Blame::Config, "{} is neither a file nor a block device", path);
  const auto size = static_cast<off_t>(size_bytes);
  if (const int error = ::posix_fallocate(descriptor, 0, size); error != 0)
    return fail_of(error, "making room for {} octets in {}", size_bytes, path);
  if (::ftruncate(descriptor, size) != 0) return fail_of(errno, "ftruncate of {}", path);
  return size_bytes;
}

}  // namespace

Result<std::unique_ptr<FileDevice>> FileDevice::open(const std::string& path,
                                                     std::uint64_t size_bytes) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return fail_of(errno, "opening {}", path);
  std::unique_ptr<FileDevice> locked(new FileDevice(descriptor, 0));  // closes it on errors
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(Blame::Config, "{} is used by another process", path);
    return fail_of(errno, "locking {}", path);
  }
  HG_TRY(const std::uint64_t size, make_room(descriptor, path, size_bytes), "opening");
  // The lock is the open file's: it stays with the copy.
  const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return fail_of(errno, "opening {}", path);
  return std::unique_ptr<FileDevice>(new FileDevice(copy, size));
}

FileDevice::~FileDevice() { ::close(descriptor_); }

Status FileDevice::read(std::uint64_t offset, std::span<char> into) {
  while (!into.empty()) {
    const ssize_t n = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_of(errno, "pread at {}", offset);
    if (n == 0) return fail(Blame::Self, "pread at {}: the file has become shorter", offset);
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status FileDevice::write(std::uint64_t offset, std::span<const char> octets) {
  while (!octets.empty()) {
    const ssize_t n =
        ::pwrite(descriptor_, octets.data(), octets.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_of(errno, "pwrite at {}", offset);
    octets = octets.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status FileDevice::sync() {
  if (::fdatasync(descriptor_) != 0) return fail_of(errno, "fdatasync");
  return {};
}

}  // namespace headgate::cache::disk
