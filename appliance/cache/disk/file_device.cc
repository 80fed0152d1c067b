// SPDX-License-Identifier: MIT
#include "appliance/cache/disk/file_device.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "appliance/base/assert.h"
#include "appliance/cache/disk/aligned.h"

namespace headgate::cache::disk {
namespace {

template <class... Args>
tl::unexpected<Error> fail_of(int error, fmt::format_string<Args...> what, Args&&... args) {
  return fail(Blame::Self, "{}: {}", fmt::format(what, std::forward<Args>(args)...),
              std::strerror(error));
}

/// What is copied to and from aligned memory at once.
constexpr std::size_t kCopied = std::size_t{1} << 20;

Status read_all(int descriptor, std::uint64_t offset, std::span<char> into) {
  while (!into.empty()) {
    const ssize_t n = ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_of(errno, "pread at {}", offset);
    if (n == 0) return fail(Blame::Self, "pread at {}: the file has become shorter", offset);
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status write_all(int descriptor, std::uint64_t offset, std::span<const char> octets) {
  while (!octets.empty()) {
    const ssize_t n =
        ::pwrite(descriptor, octets.data(), octets.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_of(errno, "pwrite at {}", offset);
    octets = octets.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
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
  device->try_direct();
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

/// Some file systems take the flag and then no read; some devices have larger blocks than ours.
void FileDevice::try_direct() {
  const int flags = ::fcntl(descriptor_, F_GETFL);
  if (flags < 0 || ::fcntl(descriptor_, F_SETFL, flags | O_DIRECT) != 0) {
    why_not_direct_ = fmt::format("O_DIRECT: {}", std::strerror(errno));
    return;
  }
  AlignedOctets block(kBlockBytes);
  const Status read = read_all(descriptor_, 0, block.span());
  if (read) return;
  why_not_direct_ = fmt::format("O_DIRECT: {}", read.error().context);
  static_cast<void>(::fcntl(descriptor_, F_SETFL, flags));  // what was set before can be set again
}

Status FileDevice::read(std::uint64_t offset, std::span<char> into) {
  if (!is_direct()) return read_all(descriptor_, offset, into);
  HG_ASSERT(offset % kBlockBytes == 0 && into.size() % kBlockBytes == 0);
  AlignedOctets copy(std::min(into.size(), kCopied));
  while (!into.empty()) {
    const std::span<char> part = copy.span().first(std::min(into.size(), copy.size()));
    HG_CHECK(read_all(descriptor_, offset, part), "past the page cache");
    std::copy(part.begin(), part.end(), into.begin());
    into = into.subspan(part.size());
    offset += part.size();
  }
  return {};
}

Status FileDevice::write(std::uint64_t offset, std::span<const char> octets) {
  if (!is_direct()) return write_all(descriptor_, offset, octets);
  HG_ASSERT(offset % kBlockBytes == 0 && octets.size() % kBlockBytes == 0);
  AlignedOctets copy(std::min(octets.size(), kCopied));
  while (!octets.empty()) {
    const std::span<char> part = copy.span().first(std::min(octets.size(), copy.size()));
    std::copy_n(octets.begin(), part.size(), part.begin());
    HG_CHECK(write_all(descriptor_, offset, part), "past the page cache");
    octets = octets.subspan(part.size());
    offset += part.size();
  }
  return {};
}

Status FileDevice::sync() {
  if (::fdatasync(descriptor_) != 0) return fail_of(errno, "fdatasync");
  return {};
}

}  // namespace headgate::cache::disk
