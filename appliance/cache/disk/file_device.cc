// SPDX-License-Identifier: MIT
#include "appliance/cache/disk/file_device.h"

#include <fcntl.h>
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
  std::unique_ptr<FileDevice> device(new FileDevice(descriptor));  // closes it on errors
  if (Status locked = device->lock(path); !locked) return tl::unexpected<Error>(locked.error());
  HG_TRY(device->size_bytes_, make_room(descriptor, path, size_bytes), "opening");
  return device;
}

/// Not flock(): that one would be held by a child between fork and exec too, and outlive a kill.
Status FileDevice::lock(const std::string& path) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(descriptor_, F_SETLK, &whole) == 0) return {};
  if (errno == EACCES || errno == EAGAIN)
    return fail(Blame::Config, "{} is used by another process", path);
  return fail_of(errno, "locking {}", path);
}

void FileDevice::unlock() {
  struct flock whole {};
  whole.l_type = F_UNLCK;
  whole.l_whence = SEEK_SET;
  static_cast<void>(::fcntl(descriptor_, F_SETLK, &whole));  // of a file that is open: cannot fail
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
