// SPDX-License-Identifier: MIT
#include "appliance/cli/run/cache_ledger_id.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

namespace headgate::cli {
namespace {

std::string path_in(const std::string& state) { return state + "/cache-ledger"; }

/// Another number whenever a damaged journal was put aside: purges were lost with it. It is put
/// aside before the journal is mended, so no crash in between can hide that.
std::uint64_t damage_of(const std::string& state) {
  struct stat found;
  if (::stat((state + "/journal.damaged").c_str(), &found) != 0) return 0;
  const std::uint64_t time = static_cast<std::uint64_t>(found.st_mtim.tv_sec) * 1'000'000'000 +
                             static_cast<std::uint64_t>(found.st_mtim.tv_nsec);
  return time ^ (std::uint64_t{found.st_ino} << 32);
}

}  // namespace

Result<std::uint64_t> cache_ledger_id(reconciler::Disk& disk, const std::string& state,
                                      bool is_new) {
  std::uint64_t id = 0;
  const std::string path = path_in(state);
  if (!is_new && ::access(path.c_str(), F_OK) == 0) {
    HG_TRY(const std::string octets, reconciler::read_file(path, 64), "the cache's ledger");
    // One of another length is not ours: it means nothing.
    if (octets.size() == sizeof id) {
      std::memcpy(&id, octets.data(), sizeof id);
      return id ^ damage_of(state);
    }
  }
  std::random_device random;
  id = (std::uint64_t{random()} << 32) | random();
  HG_CHECK(reconciler::replace_file(disk, path, {reinterpret_cast<const char*>(&id), sizeof id}),
           "keeping the cache's ledger");
  return id ^ damage_of(state);
}

Status forget_cache_ledger_id(reconciler::Disk& disk, const std::string& state) {
  const std::string path = path_in(state);
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return {};
  HG_CHECK(disk.remove(path), "forgetting the cache's ledger");
  HG_CHECK(disk.sync_folder(state), "forgetting the cache's ledger");
  return {};
}

}  // namespace headgate::cli
