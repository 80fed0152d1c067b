// SPDX-License-Identifier: MIT
// One part of the Store: a table from keys to variants, and the policy that orders them. Internal
// to appliance/cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/cache/policy/policy.h"
#include "appliance/cache/policy/policy_group.h"
#include "appliance/cache/response.h"
#include "appliance/cache/store/budget.h"
#include "appliance/cache/store/key_table.h"

namespace headgate::cache {

/// Responses that left a shard, to be given up after its mutex is free: that may free many chunks.
using Leavers = std::vector<base::Ref<StoredResponse>>;

/// A place in a walk through a shard that gives others the mutex in between.
struct ShardWalk {
  bool begun = false;
  std::size_t next = 0;  ///< slots from here on have been visited
  std::size_t capacity = 0;
  std::uint64_t wraps = 0;
  int restarts = 0;
};

/// Threads: any; every method locks.
class Shard {
 public:
  struct Options {
    Policy::Kind policy = Policy::Kind::S3Fifo;
    std::shared_ptr<PolicyGroup> group;  ///< of all shards
    std::size_t member = 0;              ///< its number there
    std::size_t max_variants = 1;
  };
  /// `oldest_epoch`: responses with a lower stamp are not stored.
  Shard(Budget& budget, const Options& options, const std::atomic<std::uint64_t>& oldest_epoch);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Of an entry, for who looks at a sample of them.
  struct Use {
    std::uint32_t fingerprint = 0;
    std::uint64_t charge = 0;
    std::uint64_t object_bytes = 0;  ///< as Policy::on_insert
  };
  /// What is stored with a stamp below `epoch` and was not found valid at it since.
  struct Older {
    std::uint32_t key_hash = 0;
    base::Ref<StoredResponse> response;
  };
  /// A use, as the policy counts them. `use`: filled in when something is found; may be null.
  base::Ref<StoredResponse> find(const Key& key, http::Fields request, Use* use = nullptr);
  /// Whether any variant is here. No use, as the policy counts them.
  bool contains(const Key& key);
  /// The variant of which `body` is the content. No use, as the policy counts them.
  base::Ref<StoredResponse> find_by_body(const Key& key, const Body& body);
  /// Remembered: new, and evicted not long ago.
  enum class Inserted { New, Remembered, Replaced, NoRoom, TooOld };
  enum class Over { Older, Nothing };  ///< what it may replace
  /// Notes what a Store's own response (StoredResponse::stored_form) takes and which requests it is
  /// for. Before `insert`, once.
  static Use prepare(StoredResponse& response, const Key& key, http::Fields request);
  /// Reserves what `response` takes and links it in place of whatever `request` would have found.
  /// NoRoom in the budget: what it replaces has left all the same. TooOld: its fetch began before
  /// that of what it would replace, or before a purge that nobody remembers and that it was not
  /// found valid after; or it may replace nothing. Nothing has changed then.
  Inserted insert(const Key& key, http::Fields request, const base::Ref<StoredResponse>& response,
                  Leavers& leavers, Over over = Over::Older);
  /// Reserves what `response` takes and links it in place of `old`, by the request that selected
  /// that. Gone: `old` is not here any more. NoRoom: nothing has changed.
  enum class Replaced { Yes, Gone, NoRoom };
  Replaced replace(const Key& key, const StoredResponse& old,
                   const base::Ref<StoredResponse>& response, Leavers& leavers);
  /// Whatever `request` would have found.
  void remove_matching(const Key& key, http::Fields request, Leavers& leavers);
  /// Only `response` itself, or what `replace` has put in its place; false when it is not there.
  bool remove(const Key& key, const StoredResponse& response, Leavers& leavers);
  bool remove(const Older& older, Leavers& leavers);
  /// Of the variant that is in the slices of this id: a use, as the policy counts them; its end.
  void use_sliced(const Key& key, std::uint64_t id);
  void remove_sliced(const Key& key, std::uint64_t id, Leavers& leavers);
  /// Of what `remove` would remove: StoredResponse::set_outdated.
  void mark_outdated(const Older& older);
  /// Null when another shard has the next one to go, or none has any. `capacity_bytes`: what the
  /// entries of all shards may take at present.
  base::Ref<StoredResponse> evict(std::uint64_t capacity_bytes);

  /// Appends some of them to `found`. False when `walk` is at its end: then each that was there at
  /// its beginning, and still is, has been found at least once.
  bool find_older(ShardWalk& walk, std::uint64_t epoch, std::vector<Older>& found);

 private:
  struct HashOf {
    std::uint32_t operator()(const StoredResponse& response) const;
  };
  using Table = KeyTable<StoredResponse, HashOf>;
  class VariantMatcher;

  static Use use_of(const StoredResponse& response);
  StoredResponse* sliced_variant(const Key& key, std::uint64_t id) REQUIRES(mutex_);
  StoredResponse* first_variant(const Key& key) REQUIRES(mutex_);
  StoredResponse* first_of(std::uint32_t key_hash, const StoredResponse& response) REQUIRES(mutex_);
  static StoredResponse* like(StoredResponse* first, const StoredResponse& response);
  std::vector<StoredResponse*> matching(const Key& key, http::Fields request) REQUIRES(mutex_);
  Table::Slot* slot_of(std::uint32_t key_hash, const StoredResponse& response) REQUIRES(mutex_);
  /// Whether the policy remembers it.
  bool link(const Key& key, StoredResponse* response, StoredResponse* replaced) REQUIRES(mutex_);
  base::Ref<StoredResponse> unlink(StoredResponse* response) REQUIRES(mutex_);
  base::Ref<StoredResponse> take_place(StoredResponse* response, StoredResponse* replaced)
      REQUIRES(mutex_);
  void leave(StoredResponse* response, Leavers& leavers) REQUIRES(mutex_);
  void limit_variants(StoredResponse* newest, Leavers& leavers) REQUIRES(mutex_);
  void count_index() REQUIRES(mutex_);
  void append_older(StoredResponse* first, std::uint64_t epoch, std::vector<Older>& found)
      REQUIRES(mutex_);

  mutable base::Mutex mutex_;
  Budget& budget_;
  Table table_ GUARDED_BY(mutex_);
  std::unique_ptr<Policy> policy_ GUARDED_BY(mutex_);
  std::uint64_t index_bytes_ GUARDED_BY(mutex_) = 0;
  const Options options_;
  const std::atomic<std::uint64_t>& oldest_epoch_;
};

}  // namespace headgate::cache
