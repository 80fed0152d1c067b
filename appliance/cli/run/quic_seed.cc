// SPDX-License-Identifier: MIT
#include "appliance/cli/run/quic_seed.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "appliance/server/edge.h"

namespace headgate::cli {

Result<std::array<std::uint8_t, 32>> quic_seed(reconciler::Disk& disk, const std::string& state) {
  const std::string folder = state + "/tls";
  const std::string path = folder + "/quic-seed";
  struct stat found;
  if (stat(path.c_str(), &found) != 0) {
    if (errno != ENOENT) return fail(Blame::Self, "{}: {}", path, std::strerror(errno));
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
      return fail(Blame::Self, "{}: {}", folder, std::strerror(errno));
    const auto seed = server::random_quic_seed();
    HG_CHECK(reconciler::replace_file(disk, path,
                                      {reinterpret_cast<const char*>(seed.data()), seed.size()}),
             "keeping the seed of QUIC");
    return seed;
  }
  std::array<std::uint8_t, 32> seed;
  HG_TRY(const std::string octets, reconciler::read_file(path, 1024), "the seed of QUIC");
  if (octets.size() != seed.size())
    return fail(Blame::Config, "{}: not a seed of {} octets; remove it, and a new one is made",
                path, seed.size());
  std::copy(octets.begin(), octets.end(), seed.begin());
  return seed;
}

}  // namespace headgate::cli
