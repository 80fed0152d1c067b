// SPDX-License-Identifier: MIT
#include "appliance/cache/simulate/simulation.h"

#include <algorithm>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/cache/policy/flat_table.h"
#include "appliance/cache/store/balance.h"

namespace headgate::cache {
namespace {

/// The finalizer of splitmix64 (Steele et al., OOPSLA 2014): a bijection that mixes well.
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::uint64_t trace_hash(std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return mix(hash);
}

double Simulation::Totals::object_miss_ratio() const { return ratio(missed_requests, requests); }
double Simulation::Totals::byte_miss_ratio() const { return ratio(missed_bytes, bytes); }

/// As cache::Shard, seen from `evict_next`.
struct Simulation::Shard {
  explicit Shard(std::unique_ptr<Policy> policy_) : policy(std::move(policy_)) {}

  Item* evict(std::uint64_t capacity_bytes) {
    return static_cast<Item*>(policy->evict(capacity_bytes));
  }

  FlatTable<Item*>::Slot* find(std::uint64_t id) {
    return table.find(id, [id](const Item* item) { return item->id == id; });
  }

  std::unique_ptr<Policy> policy;
  FlatTable<Item*> table;
};

Simulation::Simulation(const Options& options)
    : options_(options),
      group_(std::make_shared<PolicyGroup>(options.shards,
                                           Policy::Options{.capacity_bytes = options.capacity_bytes,
                                                           .max_ghosts = options.max_ghosts})) {
  HG_ASSERT(options.shards > 0 && (options.shards & (options.shards - 1)) == 0);
  for (std::size_t i = 0; i < options.shards; ++i)
    shards_.push_back(std::make_unique<Shard>(make_policy(options.policy, group_, i)));
}

Simulation::~Simulation() = default;

bool Simulation::use(std::uint64_t key_hash, std::uint64_t size_bytes, std::uint64_t object_bytes) {
  ++totals_.requests;
  totals_.bytes += size_bytes;
  const std::uint64_t missed_before = totals_.missed_bytes;
  bool hit = true;
  if (options_.chunk_bytes == 0 || size_bytes <= options_.chunk_bytes) {
    hit = use_piece(key_hash, size_bytes, object_bytes);
    if (!hit) totals_.missed_bytes = missed_before + size_bytes;
  } else {
    for (std::uint64_t first = 0; first < size_bytes; first += options_.chunk_bytes) {
      const std::uint64_t bytes = std::min(options_.chunk_bytes, size_bytes - first);
      if (use_piece(mix(key_hash + first), bytes, size_bytes)) continue;
      hit = false;
      totals_.missed_bytes += bytes;
    }
  }
  totals_.missed_requests += !hit;
  return hit;
}

bool Simulation::use_piece(std::uint64_t id, std::uint64_t bytes, std::uint64_t object_bytes) {
  Shard& shard = *shards_[(id >> 48) & (shards_.size() - 1)];
  if (auto* slot = shard.find(id); slot != nullptr) {
    shard.policy->on_hit(*slot->value);
    return true;
  }
  const std::uint64_t charge = std::max<std::uint64_t>(bytes, 1);
  if (charge > options_.capacity_bytes) {
    ++totals_.not_admitted;
    return false;
  }
  Item* item = take_free();
  item->set_charge(charge);
  item->fingerprint = static_cast<std::uint32_t>(id);
  item->id = id;
  item->is_used = true;
  group_->recall(*item);
  while (resident_bytes_ + charge > options_.capacity_bytes) evict();
  shard.table.insert(id, item);
  shard.policy->on_insert(*item, nullptr, object_bytes);
  resident_bytes_ += charge;
  return false;
}

Simulation::Item* Simulation::take_free() {
  if (free_.empty()) return &items_.emplace_back();
  Item* item = free_.back();
  free_.pop_back();
  *item = {};
  return item;
}

bool Simulation::evict() {
  Item* item = evict_next(shards_, *group_, options_.capacity_bytes);
  if (item == nullptr) return false;
  forget(*item);
  ++totals_.evictions;
  return true;
}

void Simulation::forget(Item& item) {
  Shard& shard = *shards_[(item.id >> 48) & (shards_.size() - 1)];
  shard.table.erase(shard.find(item.id));
  resident_bytes_ -= item.charge;
  item.is_used = false;
  free_.push_back(&item);
}

void Simulation::narrow(std::uint64_t limit, std::uint64_t capacity_bytes) {
  for (Item& item : items_) {
    if (!item.is_used || item.id < limit) continue;
    shards_[(item.id >> 48) & (shards_.size() - 1)]->policy->on_remove(item);
    forget(item);
  }
  options_.capacity_bytes = capacity_bytes;
  while (resident_bytes_ > capacity_bytes && evict()) {
  }
}

}  // namespace headgate::cache
