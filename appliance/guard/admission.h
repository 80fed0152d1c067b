// SPDX-License-Identifier: MIT
// Whether one more connection, and one more handshake, of an address is taken.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "appliance/base/ip_address.h"
#include "appliance/base/mutex.h"
#include "appliance/base/time.h"
#include "appliance/guard/limit.h"
#include "schema/model/edge_limits.h"

namespace headgate::guard {

/// What events a second, averaged over `kSeconds`, leave: the generic cell rate algorithm (ITU-T
/// I.371), which is a leaky bucket in one number.
class RateMeter {
 public:
  static constexpr std::int64_t kSeconds = 10;
  /// Takes one event of at most `rate` a second at `now`; false when it is one too many.
  bool take(std::uint32_t rate, base::MonoTime now);
  /// Whether nothing of the past matters any more.
  bool is_empty(base::MonoTime now) const;

 private:
  std::int64_t empty_at_us_ = 0;
};

/// Counts connections by client address, IPv6 by /64. What is not limited costs nothing. Memory is
/// bounded: an address without connections is forgotten when its rates no longer matter, or when
/// kMaxAddresses of them are known. Threads: any.
class Admission {
 public:
  explicit Admission(const schema::EdgeLimits& limits);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  static constexpr std::size_t kMaxAddresses = std::size_t{1} << 18;

  /// One more connection, from whomever.
  std::optional<Limit> accept(base::MonoTime now);
  /// A connection of `client`. Whoever gets none of the limits calls `leave` when it has ended.
  std::optional<Limit> enter(const base::IpAddress& client, base::MonoTime now);
  void leave(const base::IpAddress& client);
  /// The beginning of a handshake of `client`; `client` is unspecified for a trusted proxy's.
  std::optional<Limit> begin_handshake(const base::IpAddress& client, base::MonoTime now);
  /// How many addresses are known.
  std::size_t size() const;

 private:
  /// The network that counts as one address: the first eight octets of IPv6.
  struct Network {
    std::uint64_t prefix;
    std::uint8_t family;
    friend bool operator==(const Network&, const Network&) = default;
  };
  struct Hash {
    std::size_t operator()(const Network& network) const;
  };
  struct Client {
    std::uint32_t connections = 0;
    RateMeter accepts;
    RateMeter handshakes;
  };
  struct Shard {
    mutable base::Mutex mutex;
    std::unordered_map<Network, Client, Hash> clients GUARDED_BY(mutex);
    std::size_t swept_at GUARDED_BY(mutex) = 0;  ///< the bucket where sweeping goes on
  };
  static constexpr std::size_t kShards = 16;

  static std::optional<Network> network_of(const base::IpAddress& address);
  Shard& shard_of(const Network& network);
  Client& client_of(Shard& shard, const Network& network, base::MonoTime now) REQUIRES(shard.mutex);
  static void forget_some(Shard& shard, base::MonoTime now) REQUIRES(shard.mutex);

  const schema::EdgeLimits limits_;
  const bool limits_addresses_;
  std::array<Shard, kShards> shards_;
  base::Mutex mutex_;
  RateMeter accepts_ GUARDED_BY(mutex_);
  RateMeter handshakes_ GUARDED_BY(mutex_);
};

}  // namespace headgate::guard
