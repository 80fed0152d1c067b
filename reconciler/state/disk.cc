// SPDX-License-Identifier: MIT
// The few operations by which state reaches the disk, in one place so that tests can stop the power
// at each of them.
#include "reconciler/state/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace headgate::reconciler {
namespace {

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Status Disk::write(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Blame::Self, "write: {}", std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Status Disk::sync(int fd) {
  if (::fsync(fd) != 0) return fail(Blame::Self, "fsync: {}", std::strerror(errno));
  return {};
}

Status Disk::truncate(int fd, std::uint64_t size_bytes) {
  if (::ftruncate(fd, static_cast<off_t>(size_bytes)) != 0 ||
      ::lseek(fd, static_cast<off_t>(size_bytes), SEEK_SET) < 0)
    return fail(Blame::Self, "ftruncate: {}", std::strerror(errno));
  return {};
}

Status Disk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return fail(Blame::Self, "rename {} to {}: {}", from, to, std::strerror(errno));
  return {};
}

Status Disk::sync_folder(const std::string& path) {
  const File folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.fd()) != 0)
    return fail(Blame::Self, "fsync {}: {}", path, std::strerror(errno));
  return {};
}

Status Disk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail(Blame::Self, "unlink {}: {}", path, std::strerror(errno));
  return {};
}

Status replace_file(Disk& disk, const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  const File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.is_open()) return fail(Blame::Self, "{}: {}", temporary, std::strerror(errno));
  HG_CHECK(disk.write(file.fd(), bytes), "{}", temporary);
  HG_CHECK(disk.sync(file.fd()), "{}", temporary);
  HG_CHECK(disk.rename(temporary, path), "{}", path);
  HG_CHECK(disk.sync_folder(folder_of(path)), "{}", path);
  return {};
}

Result<std::string> read_file(const std::string& path, std::uint64_t limit_bytes) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!file.is_open() || ::fstat(file.fd(), &facts) != 0)
    return fail(Blame::Self, "{}: {}", path, std::strerror(errno));
  if (static_cast<std::uint64_t>(facts.st_size) > limit_bytes)
    return fail(Blame::Self, "{}: larger than {} octets", path, limit_bytes);
  std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::read(file.fd(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Blame::Self, "{}: {}", path, std::strerror(errno));
    if (count == 0) break;  // shorter than it was a moment ago
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace headgate::reconciler
