// SPDX-License-Identifier: MIT
#include "appliance/guard/admission.h"

#include <algorithm>

#include "appliance/base/hash.h"

namespace headgate::guard {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

std::int64_t in_us(base::MonoTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace

bool RateMeter::take(std::uint32_t rate, base::MonoTime now) {
  const std::int64_t now_us = in_us(now);
  const std::int64_t filled = std::max(empty_at_us_, now_us) + kSecondUs / rate;
  if (filled > now_us + kSeconds * kSecondUs) return false;
  empty_at_us_ = filled;
  return true;
}

bool RateMeter::is_empty(base::MonoTime now) const { return empty_at_us_ <= in_us(now); }

Admission::Admission(const schema::EdgeLimits& limits)
    : limits_(limits),
      limits_addresses_(limits.max_connections_per_address != 0 ||
                        limits.accept_rate_per_address != 0 ||
                        limits.handshake_rate_per_address != 0) {}

std::size_t Admission::Hash::operator()(const Network& network) const {
  char octets[sizeof network.prefix + 1];
  std::copy_n(reinterpret_cast<const char*>(&network.prefix), sizeof network.prefix, octets);
  octets[sizeof network.prefix] = static_cast<char>(network.family);
  return base::hash128({octets, sizeof octets}).low;
}

std::optional<Admission::Network> Admission::network_of(const base::IpAddress& address) {
  if (!address.is_v4() && !address.is_v6()) return std::nullopt;  // a proxy's, or no IP socket
  Network network{0, static_cast<std::uint8_t>(address.is_v4() ? 4 : 6)};
  const std::size_t octets = address.is_v4() ? 4 : 8;
  for (std::size_t i = 0; i < octets; ++i)
    network.prefix = network.prefix << 8 | address.octets()[i];
  return network;
}

Admission::Shard& Admission::shard_of(const Network& network) {
  // The table uses the low bits.
  return shards_[(Hash{}(network) >> 48) % kShards];
}

/// Looks at two buckets for every address that comes, so that the table stays small without ever
/// being walked as a whole.
void Admission::forget_some(Shard& shard, base::MonoTime now) {
  auto& clients = shard.clients;
  const bool full = clients.size() >= kMaxAddresses / kShards;
  for (std::size_t looked = 0; looked < (full ? 16U : 2U) && !clients.empty(); ++looked) {
    shard.swept_at = (shard.swept_at + 1) % clients.bucket_count();
    for (auto it = clients.begin(shard.swept_at); it != clients.end(shard.swept_at);) {
      const auto& [network, client] = *it++;
      const bool forgettable =
          client.connections == 0 &&
          (full || (client.accepts.is_empty(now) && client.handshakes.is_empty(now)));
      if (forgettable) clients.erase(Network(network));
    }
  }
}

Admission::Client& Admission::client_of(Shard& shard, const Network& network, base::MonoTime now) {
  forget_some(shard, now);
  return shard.clients[network];
}

std::optional<Limit> Admission::accept(base::MonoTime now) {
  if (limits_.accept_rate == 0) return std::nullopt;
  const base::MutexLock lock(mutex_);
  if (accepts_.take(limits_.accept_rate, now)) return std::nullopt;
  return Limit::AcceptRate;
}

std::optional<Limit> Admission::enter(const base::IpAddress& address, base::MonoTime now) {
  const auto network = limits_addresses_ ? network_of(address) : std::nullopt;
  if (!network) return std::nullopt;
  Shard& shard = shard_of(*network);
  const base::MutexLock lock(shard.mutex);
  Client& client = client_of(shard, *network, now);
  if (limits_.max_connections_per_address != 0 &&
      client.connections >= limits_.max_connections_per_address)
    return Limit::MaxConnectionsPerAddress;
  if (limits_.accept_rate_per_address != 0 &&
      !client.accepts.take(limits_.accept_rate_per_address, now))
    return Limit::AcceptRatePerAddress;
  ++client.connections;
  return std::nullopt;
}

void Admission::leave(const base::IpAddress& address) {
  const auto network = limits_addresses_ ? network_of(address) : std::nullopt;
  if (!network) return;
  Shard& shard = shard_of(*network);
  const base::MutexLock lock(shard.mutex);
  const auto found = shard.clients.find(*network);
  if (found == shard.clients.end()) return;
  --found->second.connections;
  if (found->second.connections == 0 && limits_.accept_rate_per_address == 0 &&
      limits_.handshake_rate_per_address == 0)
    shard.clients.erase(found);
}

std::optional<Limit> Admission::begin_handshake(const base::IpAddress& address,
                                                base::MonoTime now) {
  if (limits_.handshake_rate != 0) {
    const base::MutexLock lock(mutex_);
    if (!handshakes_.take(limits_.handshake_rate, now)) return Limit::HandshakeRate;
  }
  const auto network = limits_.handshake_rate_per_address != 0 ? network_of(address) : std::nullopt;
  if (!network) return std::nullopt;
  Shard& shard = shard_of(*network);
  const base::MutexLock lock(shard.mutex);
  Client& client = client_of(shard, *network, now);
  if (client.handshakes.take(limits_.handshake_rate_per_address, now)) return std::nullopt;
  return Limit::HandshakeRatePerAddress;
}

std::size_t Admission::size() const {
  std::size_t size = 0;
  for (const Shard& shard : shards_) {
    const base::MutexLock lock(shard.mutex);
    size += shard.clients.size();
  }
  return size;
}

}  // namespace headgate::guard
