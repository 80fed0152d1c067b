// SPDX-License-Identifier: MIT
#include "appliance/cli/run/cache_ledger_id.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

namespace headgate::cli {
namespace {

std::string path_in(const std::string& state) { return state + "/cache-ledger"; }

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
      return id;
    }
  }
  std::random_device random;
  id = (std::uint64_t{random()} << 32) | random();
  HG_CHECK(reconciler::replace_file(disk, path, {reinterpret_cast<const char*>(&id), sizeof id}),
           "keeping the cache's ledger");
  return id;
}

Status forget_cache_ledger_id(reconciler::Disk& disk, const std::string& state) {
  const std::string path = path_in(state);
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return {};
  HG_CHECK(disk.remove(path), "forgetting the cache's ledger");
  HG_CHECK(disk.sync_folder(state), "forgetting the cache's ledger");
  return {};
}

}  // namespace headgate::cli
