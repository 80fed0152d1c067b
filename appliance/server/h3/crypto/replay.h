// SPDX-License-Identifier: MIT
// Which early data has been seen: none is taken twice, by whatever worker.
#pragma once

#include <cstddef>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "appliance/base/mutex.h"

namespace headgate::server {

/// The store of RFC 8446 section 8.2 (recording of ClientHellos) that GnuTLS asks. What is not in
/// memory any more is older than the time in which early data is taken at all; nothing is taken
/// that was made before this edge began, so the store need not outlive it.
/// Threads: any.
class ReplayStore {
 public:
  /// More in one window than this are not taken: their clients go the longer way.
  static constexpr std::size_t kMaxEntries = 100'000;

  /// False when `hello` is there already, or when there is no room. `expires`: when it may be
  /// forgotten; what was to be forgotten before `now` is.
  bool add(std::string_view hello, std::time_t expires, std::time_t now);
  std::size_t size() const;

 private:
  mutable base::Mutex mutex_;
  std::unordered_map<std::string, std::time_t> seen_ GUARDED_BY(mutex_);
  std::multimap<std::time_t, std::string> by_expiry_ GUARDED_BY(mutex_);
};

}  // namespace headgate::server
