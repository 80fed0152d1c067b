// SPDX-License-Identifier: MIT
// Pieces of a file, one behind the other.
#include "reconciler/machine/incoming.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace headgate::reconciler {

Status Incoming::take(std::uint64_t offset, std::string_view octets) {
  const int mode = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (offset == 0 ? O_TRUNC : O_APPEND);
  const File file(::open(part().c_str(), mode, 0600));
  if (!file.is_open()) return fail(Blame::Self, "{}: {}", part(), std::strerror(errno));
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0)
    return fail(Blame::Self, "{}: {}", part(), std::strerror(errno));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size != offset)
    return fail(Blame::Client, "offset: {} octets are here; somebody else sends too? Begin with 0",
                size);
  if (octets.size() > kMostOctets - size)
    return fail(Blame::Client, "an upgrade has at most {} octets", kMostOctets);
  return disk_.write(file.fd(), octets);
}

Status Incoming::finish() {
  const File file(::open(part().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) return fail(Blame::Config, "no upgrade has been sent: send it first");
  HG_CHECK(disk_.sync(file.fd()), "the upgrade");
  HG_CHECK(disk_.rename(part(), path()), "the upgrade");
  return disk_.sync_folder(folder_);
}

}  // namespace headgate::reconciler
