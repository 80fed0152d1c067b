// SPDX-License-Identifier: MIT
// The RAM tier: what is stored, found by key and Vary, evicted by a policy, within one budget.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "appliance/cache/policy/policy.h"
#include "appliance/cache/purge/table.h"
#include "appliance/cache/response.h"
#include "appliance/cache/simulate/miss_curve.h"
#include "appliance/http/field.h"

namespace headgate::cache {

class DiskTier;

/// Octets and events since the start; a consistent enough picture for metrics.
struct StoreStats {
  std::uint64_t budget_bytes = 0;
  std::uint64_t resident_bytes = 0;  ///< of what can be found: bodies, heads, book-keeping
  std::uint64_t index_bytes = 0;     ///< tables and ghosts
  /// Of responses that are kept to be stored when they are whole. Resident, index and incoming
  /// together stay within the budget.
  std::uint64_t incoming_bytes = 0;
  std::uint64_t pinned_bytes = 0;  ///< evicted or replaced, but still being sent
  std::uint64_t objects = 0;
  std::uint64_t insertions = 0;
  std::uint64_t evictions = 0;
  std::uint64_t rejected = 0;  ///< not admitted: too large, too old, or too much pinned
  std::uint64_t purged = 0;    ///< removed because of invalidations
};

/// Shards of a power of two, each with its own mutex, table and policy. Threads: any.
class Store {
 public:
  static constexpr std::size_t kMaxVariants = 64;

  /// `threads`: how many will use it at once; decides the number of shards.
  Store(std::uint64_t budget_bytes, unsigned threads, Policy::Kind policy = Policy::Kind::S3Fifo);
  ~Store();

  /// The stored response for `key` whose Vary fields match `request` (RFC 9111 section 4.1), fresh
  /// or stale, and what the invalidations say of it; null when there is none, or when it was purged
  /// hard (then it is also removed, unless that may be undone).
  struct Found {
    base::Ref<StoredResponse> response;
    Purged purged = Purged::No;
  };
  Found find(const Key& key, http::Fields request, const PurgeTable& purges);

  /// Stores a response whose body is `storable()`; replaces the variant that the same request would
  /// have found. Not admitted when it is larger than `max_object_bytes()` or while more than a
  /// quarter of the budget is pinned by slow readers; what it would have replaced goes all the
  /// same. A response whose fetch began before that of what it would replace is not admitted. What
  /// is stored, and found from now on, is a copy (StoredResponse::stored_form).
  /// `request`: of its fields, those that Vary names are kept. Fields that the response's
  /// own Cache-Control restricts are left out. At most kMaxVariants a key,
  /// the oldest goes first.
  void insert(const Key& key, http::Fields request, const base::Ref<StoredResponse>& response);

  /// The tier behind this; null: none. Set before anything else; must outlive this. What is found
  /// here a first time is offered to it, and so is what comes again soon after its eviction.
  void set_disk(DiskTier* disk);
  DiskTier* disk() const;
  /// Stores what the disk has brought, unless there is something newer by now; otherwise as
  /// `insert`.
  void restore(const Key& key, http::Fields request, const base::Ref<StoredResponse>& response);

  /// A slice, which is valid as long as somebody can name it (slice.h); null when there is none.
  base::Ref<StoredResponse> find_slice(const Key& key);
  /// The same without counting it as a use.
  bool contains(const Key& key) const;
  /// Counts a use of the response whose content is in the slices of this id: it is worth what its
  /// slices are, and would be forgotten long before the last of them is read.
  void use_sliced(const Key& key, std::uint64_t id);
  /// Removes the response whose content is in the slices of this id, for they cannot be completed.
  void remove_sliced(const Key& key, std::uint64_t id);

  /// Gives the stored response that has `body` the `encodings` that are complete now, in place of
  /// what it had; the last ones are left out until it is not too large. Nothing happens when it is
  /// not stored any more; without room it leaves.
  void set_encodings(const Key& key, const Body& body, std::vector<EncodedBody> encodings);

  /// The largest response that is kept in one piece: a sixteenth of the budget.
  std::uint64_t max_object_bytes() const;
  /// Content longer than this is stored in slices, where its origin serves ranges. Nothing when the
  /// budget has no room for slices.
  std::optional<std::uint64_t> sliced_above() const;
  /// False while slow readers pin too much memory, or too much is coming in: then responses are
  /// passed through, not stored.
  bool accepts_fills() const;

  /// Octets of a response that is coming in and is kept to be stored: they take memory before they
  /// can be found. Given back by the destructor. Threads: one of its own.
  class Incoming {
   public:
    Incoming() = default;
    explicit Incoming(Store& store) : store_(&store) {}
    Incoming(Incoming&& other) noexcept { *this = std::move(other); }
    Incoming& operator=(Incoming&& other) noexcept {
      std::swap(store_, other.store_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Incoming() { set(0); }
    void set(std::uint64_t bytes);

   private:
    Store* store_ = nullptr;
    std::uint64_t bytes_ = 0;
  };

  /// From now on responses whose stamp has a lower epoch are not admitted.
  void set_oldest_epoch(std::uint64_t epoch);
  enum class Visit { Keep, Mark, Remove };  ///< Mark: StoredResponse::set_outdated
  /// Calls `visit` for what is stored with a stamp below `epoch`, perhaps more than once. In steps:
  /// look-ups go on in between.
  void visit_older(std::uint64_t epoch, const std::function<Visit(const StoredResponse&)>& visit);

  StoreStats stats() const;
  /// Somebody must make it `work()` now and then, off the request path.
  MissCurve& miss_curve();
  const MissCurve& miss_curve() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headgate::cache
