// SPDX-License-Identifier: MIT
#include "appliance/server/h3/crypto/replay.h"

namespace headgate::server {

bool ReplayStore::add(std::string_view hello, std::time_t expires, std::time_t now) {
  const base::MutexLock lock(mutex_);
  while (!by_expiry_.empty() && by_expiry_.begin()->first < now) {
    seen_.erase(by_expiry_.begin()->second);
    by_expiry_.erase(by_expiry_.begin());
  }
  if (seen_.size() >= kMaxEntries) return false;
  if (!seen_.emplace(hello, expires).second) return false;
  by_expiry_.emplace(expires, hello);
  return true;
}

std::size_t ReplayStore::size() const {
  const base::MutexLock lock(mutex_);
  return seen_.size();
}

}  // namespace headgate::server
