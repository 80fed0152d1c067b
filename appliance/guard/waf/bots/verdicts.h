// SPDX-License-Identifier: MIT
// What is known of addresses that say they are bots, for as long as it holds.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <unordered_map>

#include "appliance/base/hash.h"
#include "appliance/base/mutex.h"
#include "appliance/base/time.h"
#include "appliance/guard/waf/bots/resolver.h"

namespace headgate::guard::waf {

enum class Verdict : std::uint8_t { Verified, Unverified, Pending };

/// Verdicts by address and domains, shared by all workers and kept from one configuration to the
/// next. Nobody waits: who is not known is pending, and DNS is asked meanwhile.
///
/// A verdict that has become old counts for as long again while DNS is asked anew, so that a
/// crawler which keeps coming is verified all the time. A failure is not a verdict: it keeps DNS
/// from being asked again for a while, and what was known before still counts.
///
/// Memory is bounded. At the bound the address that has not come for longest is forgotten; verified
/// ones have room of their own, which nobody can take by coming from many addresses.
///
/// Threads: any. The mutex is held for the length of a look-up.
class Verdicts {
 public:
  struct Options {
    Duration verified = std::chrono::hours(6);
    Duration unverified = std::chrono::minutes(30);
    Duration failed = std::chrono::seconds(30);
    std::size_t max_verified = 16384;
    std::size_t max_others = 65536;
    std::function<base::MonoTime()> clock = base::mono_now;
  };
  struct Stats {
    std::uint64_t verified = 0;  ///< answers of DNS
    std::uint64_t unverified = 0;
    std::uint64_t failed = 0;
    std::uint64_t refused = 0;  ///< not asked: too much was waiting
    std::size_t verdicts = 0;   ///< that are kept
  };
  /// As Resolver::ask.
  using Ask = std::function<bool(const base::IpAddress&, const Domains&, Resolver::Done)>;

  explicit Verdicts(Ask ask) : Verdicts(std::move(ask), Options{}) {}
  Verdicts(Ask ask, Options options);

  /// What counts now. `identity` is a hash of the domains.
  Verdict of(const base::IpAddress& address, const Domains& domains, const base::Hash128& identity)
      EXCLUDES(mutex_);
  Stats stats() const EXCLUDES(mutex_);

 private:
  struct Entry {
    base::Hash128 key;
    Verdict verdict = Verdict::Pending;
    base::MonoTime until = {};      ///< the verdict counts
    base::MonoTime ask_again = {};  ///< not before
    bool asking = false;
  };
  using Entries = std::list<Entry>;  ///< who came last comes first
  struct ByKey {
    std::size_t operator()(const base::Hash128& key) const { return key.low; }
  };

  Entry& find_or_add(const base::Hash128& key) REQUIRES(mutex_);
  Entry& add(Entry entry) REQUIRES(mutex_);
  Entries& list_of(const Entry& entry) REQUIRES(mutex_);
  void settle(const base::Hash128& key, Resolver::Answer answer) EXCLUDES(mutex_);
  void note_refused(const base::Hash128& key) EXCLUDES(mutex_);

  const Ask ask_;
  const Options options_;
  mutable base::Mutex mutex_;
  Entries verified_ GUARDED_BY(mutex_);
  Entries others_ GUARDED_BY(mutex_);
  std::unordered_map<base::Hash128, Entries::iterator, ByKey> by_key_ GUARDED_BY(mutex_);
  Stats stats_ GUARDED_BY(mutex_);
};

}  // namespace headgate::guard::waf
