// SPDX-License-Identifier: MIT
// Questions to DNS servers, all at once on one thread: the one file that knows c-ares.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "appliance/base/ip_address.h"
#include "schema/base/result.h"
#include "schema/base/units.h"

struct ares_channeldata;

namespace headgate::guard::waf {

/// Threads: one, but for `open`. Call-backs come from `wait`, from a question that fails at once,
/// or from the destructor; they may ask again, except in the destructor.
class DnsChannel {
 public:
  enum class Outcome : std::uint8_t {
    Answered,
    NoSuchRecord,  ///< the name does not exist, has no such record, or one that names no host
    Failed,        ///< no server has answered in time, or with what can be used
  };
  using OnNames = std::function<void(Outcome, std::vector<std::string>)>;
  using OnAddresses = std::function<void(Outcome, std::vector<base::IpAddress>)>;

  struct Options {
    std::vector<std::string> servers;  ///< ADDR:PORT; empty: those of /etc/resolv.conf
    Duration patience{};               ///< with a server at the first try; doubled at each further
    int tries = 0;
  };

  /// Errors: Blame::Self; no memory, a list of servers that cannot be read.
  static Result<std::unique_ptr<DnsChannel>> open(const Options& options);
  /// Whatever has not been answered has failed.
  ~DnsChannel();
  DnsChannel(const DnsChannel&) = delete;
  DnsChannel& operator=(const DnsChannel&) = delete;

  /// The PTR records of an address (RFC 1035 section 3.5, RFC 3596 section 2.5).
  void names_of(const base::IpAddress& address, OnNames done);
  /// The A or AAAA records of a name, 64 at most. Search domains are not tried.
  void addresses_of(const std::string& name, bool v6, OnAddresses done);

  /// Returns when `wake` can be read, an answer has come, or a try is over its time.
  void wait(int wake);

 private:
  struct Socket {
    int fd;
    short events;
  };
  DnsChannel() = default;
  static void note_socket(void* self, int fd, int readable, int writable);

  ares_channeldata* channel_ = nullptr;
  std::vector<Socket> sockets_;
};

}  // namespace headgate::guard::waf
