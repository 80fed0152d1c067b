// SPDX-License-Identifier: MIT
#include "appliance/cli/run/descriptors.h"

#include <sys/resource.h>

#include <cerrno>
#include <cstring>

namespace headgate::cli {

Result<std::uint64_t> raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return fail(Blame::Self, "the limit of open files: {}", std::strerror(errno));
  if (limit.rlim_cur != limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
      return fail(Blame::Self, "raising the limit of open files: {}", std::strerror(errno));
  }
  return limit.rlim_cur;
}

}  // namespace headgate::cli
