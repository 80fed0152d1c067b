// SPDX-License-Identifier: MIT
// Whether an address belongs to a domain, by reverse and forward DNS, on a thread of its own.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "appliance/base/ip_address.h"
#include "appliance/base/mutex.h"
#include "appliance/base/time.h"

namespace headgate::guard::waf {

class DnsChannel;

/// In lower case, without a dot in front.
using Domains = std::shared_ptr<const std::vector<std::string>>;

/// Whether `name` is one of `domains` or below it, whatever its case. A name with other characters
/// than letters, digits, hyphens and underscores is below none.
bool is_within(std::string_view name, const std::vector<std::string>& domains);

/// Asks for the names of an address, then for the addresses of those names that are within a
/// domain: whoever may write the reverse zone of an address can give it any name, but only the
/// domain's owner gives the name that address.
///
/// What waits is bounded, and so is what one network (/24, /48) may have waiting, so that a reverse
/// zone which never answers cannot keep out others. The thread starts with the first question. The
/// system's list of servers is read again whenever there was nothing to ask for a moment.
///
/// Threads: any.
class Resolver {
 public:
  enum class Answer : std::uint8_t {
    Confirmed,
    Denied,  ///< there is no such name, or it has another address
    Failed,  ///< DNS has not said
  };
  /// Called once, by the resolver's thread; never after the destructor has begun.
  using Done = std::function<void(Answer)>;

  struct Options {
    std::vector<std::string> servers;             ///< ADDR:PORT; empty: the system's
    Duration patience = std::chrono::seconds(1);  ///< with a server; doubled at the second try
    int tries = 2;
    Duration limit = std::chrono::seconds(5);  ///< after which a look-up asks nothing further
    std::size_t at_once = 64;
    std::size_t outstanding = 1024;    ///< with those that wait
    std::size_t of_network = 16;       ///< of these
    std::size_t names_of_address = 8;  ///< within the domains; the rest is not looked at
  };

  explicit Resolver(Options options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// False when too much is waiting: then `done` is not called.
  bool ask(const base::IpAddress& address, const Domains& domains, Done done) EXCLUDES(mutex_);

 private:
  using Network = std::array<std::uint8_t, 7>;
  struct Lookup;
  using LookupPtr = std::shared_ptr<Lookup>;

  static Network network_of(const base::IpAddress& address);
  bool start_thread() REQUIRES(mutex_);
  void run();
  bool take(std::vector<LookupPtr>& taken) EXCLUDES(mutex_);
  void begin(const LookupPtr& lookup);
  void ask_next_name(const LookupPtr& lookup);
  void finish(const LookupPtr& lookup, Answer answer) EXCLUDES(mutex_);
  void idle() const;

  const Options options_;
  base::Mutex mutex_;
  std::deque<LookupPtr> waiting_ GUARDED_BY(mutex_);
  std::map<Network, std::size_t> of_network_ GUARDED_BY(mutex_);
  std::size_t outstanding_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  int wake_ = -1;  ///< set before the thread starts
  std::thread thread_;
  // The thread's own.
  std::unique_ptr<DnsChannel> channel_;
  std::size_t running_ = 0;
  bool closing_ = false;
};

}  // namespace headgate::guard::waf
