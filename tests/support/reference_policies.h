// SPDX-License-Identifier: MIT
// Eviction policies written down as their authors publish them, for one cache that is not sharded;
// they share nothing with the product.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <set>
#include <tuple>
#include <unordered_map>

namespace headgate::test {

/// What all of them tell.
struct ReferenceCache {
  explicit ReferenceCache(std::uint64_t capacity_bytes) : capacity(capacity_bytes) {}
  const std::uint64_t capacity;
  std::uint64_t requests = 0, misses = 0, bytes = 0, missed_bytes = 0;

  bool count(bool hit, std::uint64_t size) {
    ++requests;
    bytes += size;
    if (hit) return true;
    ++misses;
    missed_bytes += size;
    return false;
  }
  double object_miss_ratio() const {
    return static_cast<double>(misses) / static_cast<double>(requests);
  }
  double byte_miss_ratio() const {
    return static_cast<double>(missed_bytes) / static_cast<double>(bytes);
  }
};

/// A FIFO of keys with sizes, the oldest in front.
struct ReferenceFifo {
  struct Item {
    std::uint64_t key, size;
    int frequency;
  };
  std::list<Item> items;
  std::unordered_map<std::uint64_t, std::list<Item>::iterator> places;
  std::uint64_t bytes = 0;

  Item* find(std::uint64_t key) {
    const auto found = places.find(key);
    return found == places.end() ? nullptr : &*found->second;
  }
  void push(Item item) {
    bytes += item.size;
    items.push_back(item);
    places[item.key] = std::prev(items.end());
  }
  Item pop() {
    const Item item = items.front();
    remove(item.key);
    return item;
  }
  bool remove(std::uint64_t key) {
    const auto found = places.find(key);
    if (found == places.end()) return false;
    bytes -= found->second->size;
    items.erase(found->second);
    places.erase(found);
    return true;
  }
};

/// S3-FIFO as its authors' simulator has it: a small queue of 10 %, promotion at two uses, ghosts
/// for 90 % of the capacity.
struct ReferenceS3Fifo : ReferenceCache {
  using ReferenceCache::ReferenceCache;
  ReferenceFifo small, main, ghosts;
  bool has_evicted = false;

  bool use(std::uint64_t key, std::uint64_t size) {
    for (ReferenceFifo* queue : {&small, &main})
      if (auto* item = queue->find(key); item != nullptr) {
        ++item->frequency;
        return count(true, size);
      }
    const bool known = ghosts.remove(key);
    if (size > capacity) return count(false, size);
    while (small.bytes + main.bytes + size > capacity) evict();
    const bool overflow = !has_evicted && small.bytes >= capacity / 10;
    (known || overflow ? main : small).push({key, size, 0});
    return count(false, size);
  }
  void evict() {
    has_evicted = true;
    if (main.bytes > capacity - capacity / 10 || small.items.empty()) {
      for (;;) {
        ReferenceFifo::Item item = main.pop();
        if (item.frequency == 0) return;
        item.frequency = std::min(item.frequency, 3) - 1;
        main.push(item);
      }
    }
    while (!small.items.empty()) {
      ReferenceFifo::Item item = small.pop();
      if (item.frequency < 2) return remember(item);
      item.frequency = 0;
      main.push(item);
    }
  }
  void remember(ReferenceFifo::Item item) {
    const std::uint64_t room = capacity / 10 * 9;
    if (item.size > room) return;
    while (ghosts.bytes + item.size > room) ghosts.pop();
    ghosts.push(item);
  }
};

struct ReferenceLru : ReferenceCache {
  using ReferenceCache::ReferenceCache;
  ReferenceFifo queue;

  bool use(std::uint64_t key, std::uint64_t size) {
    if (auto* item = queue.find(key); item != nullptr) {
      const ReferenceFifo::Item copy = *item;
      queue.remove(key);
      queue.push(copy);
      return count(true, size);
    }
    if (size > capacity) return count(false, size);
    while (queue.bytes + size > capacity) queue.pop();
    queue.push({key, size, 0});
    return count(false, size);
  }
};

/// GDSF with the least of all, not of a sample. It does not say which of equals goes: here the one
/// with the least of `low_bits`, as with us.
struct ReferenceGdsf : ReferenceCache {
  using ReferenceCache::ReferenceCache;
  struct Item {
    double priority;
    std::uint64_t size, uses;
  };
  std::unordered_map<std::uint64_t, Item> items;
  using Place = std::tuple<double, std::uint32_t, std::uint64_t>;
  std::set<Place> order;
  std::uint64_t resident = 0;
  double age = 0;

  bool use(std::uint64_t key, std::uint64_t size) {
    if (const auto found = items.find(key); found != items.end()) {
      Item& item = found->second;
      order.erase(place(item.priority, key));
      ++item.uses;
      item.priority = age + static_cast<double>(item.uses) / static_cast<double>(item.size);
      order.insert(place(item.priority, key));
      return count(true, size);
    }
    if (size > capacity) return count(false, size);
    while (resident + size > capacity) {
      const auto [priority, low_bits, victim] = *order.begin();
      order.erase(order.begin());
      age = priority;
      resident -= items[victim].size;
      items.erase(victim);
    }
    const double priority = age + 1 / static_cast<double>(size);
    items[key] = {priority, size, 1};
    order.insert(place(priority, key));
    resident += size;
    return count(false, size);
  }
  static Place place(double priority, std::uint64_t key) {
    return {priority, static_cast<std::uint32_t>(key), key};
  }
};

}  // namespace headgate::test
