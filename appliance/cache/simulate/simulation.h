// SPDX-License-Identifier: MIT
// The store's policy, shards and budget without what is stored: what would hit, and what would not.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "appliance/cache/policy/policy.h"
#include "appliance/cache/policy/policy_group.h"

namespace headgate::cache {

/// Of a key in a trace; the same in every process, unlike base::hash128.
std::uint64_t trace_hash(std::string_view key);

/// What orders and evicts is the product's own code. An entry charges the octets of its object,
/// nothing for a head; each is stored at the moment of its miss. Threads: none of its own.
class Simulation {
 public:
  struct Options {
    Policy::Kind policy = Policy::Kind::S3Fifo;
    std::uint64_t capacity_bytes = 0;
    std::size_t shards = 1;         ///< a power of two
    std::uint64_t chunk_bytes = 0;  ///< larger objects are kept in pieces; 0: each in one
    std::uint32_t max_ghosts = UINT32_MAX;
  };

  /// Of requests, whatever pieces they take.
  struct Totals {
    std::uint64_t requests = 0;
    std::uint64_t bytes = 0;
    std::uint64_t missed_requests = 0;  ///< some octet was not there
    std::uint64_t missed_bytes = 0;
    std::uint64_t evictions = 0;     ///< of objects or pieces
    std::uint64_t not_admitted = 0;  ///< of objects or pieces: larger than all of the cache

    double object_miss_ratio() const;
    double byte_miss_ratio() const;
  };

  explicit Simulation(const Options& options);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// Whether all octets were there; they are now. A key keeps the size that it was stored with, but
  /// what a request asks for counts. `object_bytes`: as Policy::on_insert.
  bool use(std::uint64_t key_hash, std::uint64_t size_bytes, std::uint64_t object_bytes = 0);
  /// Keeps only entries whose key's hash is below `limit`, of objects in one piece, in
  /// `capacity_bytes`.
  void narrow(std::uint64_t limit, std::uint64_t capacity_bytes);

  const Totals& totals() const { return totals_; }
  std::uint64_t resident_bytes() const { return resident_bytes_; }
  std::size_t entries() const { return items_.size() - free_.size(); }

 private:
  struct Item : Policy::Entry {
    std::uint64_t id = 0;
    bool is_used = false;
  };
  struct Shard;

  bool use_piece(std::uint64_t id, std::uint64_t bytes, std::uint64_t object_bytes);
  Item* take_free();
  bool evict();
  void forget(Item& item);

  Options options_;
  const std::shared_ptr<PolicyGroup> group_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::deque<Item> items_;
  std::vector<Item*> free_;  ///< of items_, those in use for nothing
  std::uint64_t resident_bytes_ = 0;
  Totals totals_;
};

}  // namespace headgate::cache
