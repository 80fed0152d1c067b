// SPDX-License-Identifier: MIT
// What a Store notes on a response that it has. Internal to appliance/cache.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "appliance/cache/policy/policy.h"

namespace headgate::cache {

class StoredResponse;

/// A response's place in table and policy of a shard, under whose mutex it is. `fingerprint` is of
/// key and variant. The variants of a key form a list, newest first, whose head is in the table.
struct StorePlace : Policy::Entry {
  struct Variant {
    /// Which requests it is for, by the names of their fields; null without Vary: then for any.
    /// Sorted. Entries of one key with the same names share the vector, so that a look-up makes
    /// each text once.
    std::shared_ptr<const std::vector<std::string>> names;
    std::string values;             ///< the request's, for them (http::vary_key)
    std::uint32_t fingerprint = 0;  ///< of these
    StoredResponse* next = nullptr;
  };

  /// Null for one that is for any request and has none after it.
  std::unique_ptr<Variant> variant;

  bool varies() const { return variant != nullptr && variant->names != nullptr; }
  /// What the table finds its key by.
  std::uint32_t key_hash() const { return fingerprint ^ (varies() ? variant->fingerprint : 0); }
  StoredResponse* next() const { return variant != nullptr ? variant->next : nullptr; }
  void set_next(StoredResponse* response) {
    if (response == nullptr && variant == nullptr) return;
    if (variant == nullptr) variant = std::make_unique<Variant>();
    variant->next = response;
  }
  /// Is for the requests that `other` is for.
  void stand_for(const StorePlace& other) {
    fingerprint = other.fingerprint;
    if (!other.varies()) return;
    variant = std::make_unique<Variant>(*other.variant);
    variant->next = nullptr;
  }
  /// Octets beside the response's own; of `charge`, all but these live on while it is pinned.
  std::uint64_t place_bytes() const {
    return varies() ? sizeof(Variant) + variant->values.capacity() : 0;
  }
  std::uint64_t payload_bytes() const { return charge - place_bytes(); }
};

}  // namespace headgate::cache
