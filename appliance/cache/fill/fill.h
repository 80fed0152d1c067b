// SPDX-License-Identifier: MIT
// Request collapsing: of many requests that miss on one key, on any worker, one goes to the origin
// and all stream what comes back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "appliance/base/loop.h"
#include "appliance/base/mutex.h"
#include "appliance/base/ref.h"
#include "appliance/base/unique_function.h"
#include "appliance/cache/purge/table.h"
#include "appliance/cache/purge/uri_invalidation.h"
#include "appliance/cache/response.h"
#include "appliance/cache/wake_list.h"

namespace headgate::cache {

/// A failure to get any response that may be used, shared by everyone who waits: the status to
/// answer with and the reason for the log and Proxy-Status.
struct FillFailure {
  int status = 502;
  std::string proxy_error;  ///< RFC 9209 section 2.3 error type: connection_timeout, …
  std::string details;      ///< for the log; escaped there
  /// Of a slice: the origin has another version by now, and the whole has been removed.
  bool outdated = false;
  /// The rule of a web ACL that refuses the response; empty: none does. `details` then has the ids
  /// of what matched.
  std::string refused_by = {};
  bool was_5xx = false;  ///< what was refused was an error
};

/// One fetch under way.
/// ```
/// Waiting ─ respond(shared) ─▶ Shared      readers stream its body while it grows
///         ─ respond(private) ▶ Private     only the leader may use it; followers go alone
///         ─ fail ────────────▶ Failed      shared by all
///         ─ abandon ─────────▶ Abandoned   the leader gave up; followers try again
/// ```
/// Threads: respond/fail/abandon on the leader's loop; the rest from any.
class Fill final : public base::RefCounted<Fill> {
 public:
  enum class State { Waiting, Shared, Private, Failed, Abandoned };

  /// `judge`: see FillTable::join.
  Fill(const Key& key, Stamp stamp, const void* judge = nullptr);
  ~Fill();

  /// `request`: the leader's; a follower may use the response only if `matches` its own, by Vary
  /// (RFC 9111 section 4.1). A response with `Vary: *`, or with
  /// fields that its Cache-Control keeps for one client, is private whatever `shared` says.
  void respond(base::Ref<StoredResponse> response, bool shared, http::Fields request = {});
  void fail(FillFailure failure);
  void abandon();

  State state() const;
  base::Ref<StoredResponse> response() const;  ///< Shared or Private
  FillFailure failure() const;                 ///< Failed
  bool matches(http::Fields request) const;    ///< Shared or Private
  Stamp stamp() const { return stamp_; }
  std::string_view key_text() const { return key_text_; }
  std::string_view path() const { return path_; }

  /// Calls `on_settled` once, on `loop`, when the state is no longer Waiting; at once (but not from
  /// inside) when it is already. At most one post a loop wakes all of its waiters. Destroying the
  /// Waiter cancels.
  class Waiter {
   public:
    Waiter(base::Ref<Fill> fill, base::Loop& loop, base::UniqueFunction<void()> on_settled);
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

   private:
    base::Ref<Fill> fill_;
    WakeList::SleeperPtr sleeper_;
  };

 private:
  friend class FillTable;
  const base::Hash128 key_hash_;
  const std::string key_text_;
  const std::string distribution_;
  const std::string path_;
  const Stamp stamp_;
  const void* const judge_;
  struct Shared;
  std::unique_ptr<Shared> shared_;  ///< see fill.cc
};

/// The fills under way, by key, and the keys that lately turned out not to be shareable ("hit for
/// miss"). Threads: any; sharded like the Store.
class FillTable {
 public:
  FillTable();
  ~FillTable();

  enum class Role { Leader, Follower, Alone };
  struct Joined {
    Role role = Role::Alone;
    base::Ref<Fill> fill;  ///< null when Alone
  };
  /// Follower: of a fill that is Waiting or Shared, whose stamp neither `purges` nor `changes`
  /// rules out, that is not `unusable`, which the caller may not use, and whose response the same
  /// `judge` looks at before anybody has it; null: nobody does. Judges are known by their address:
  /// the leader keeps its own alive as long as it leads.
  /// Alone: the key was marked unshareable less than 120 s ago. Leader otherwise: the caller
  /// fetches, settles the fill and calls `finish`.
  Joined join(const Key& key, const PurgeTable& purges, const UriInvalidations& changes,
              std::uint64_t generation, base::MonoTime now, const Fill* unusable = nullptr,
              const void* judge = nullptr);

  /// Takes a fill out of the table: its response is stored, failed, or private. Its readers go on.
  void finish(Fill& fill);
  /// Holds the epoch of a fetch under way, from its beginning until what came is stored. Threads:
  /// any.
  class Fetching {
   public:
    Fetching() = default;
    Fetching(FillTable& table, Stamp stamp);
    Fetching(Fetching&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), epoch_(other.epoch_) {}
    Fetching& operator=(Fetching&& other) noexcept {
      std::swap(table_, other.table_);
      std::swap(epoch_, other.epoch_);
      return *this;
    }
    ~Fetching();

   private:
    FillTable* table_ = nullptr;
    std::uint64_t epoch_ = 0;
  };
  /// The lowest epoch among the fetches under way; UINT64_MAX when there are none.
  std::uint64_t oldest_fetch_epoch() const;

  /// Remembers for 120 s that collapsing requests for this key is of no use. Bounded; old marks go
  /// first.
  void mark_unshareable(const Key& key, base::MonoTime now);

  /// Remembers for an hour that the origin has not kept its word about ranges of this key. Bounded,
  /// as above.
  void mark_unsliceable(const Key& key, base::MonoTime now);
  bool is_unsliceable(const Key& key, base::MonoTime now) const;

  std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The leader's hold on its fill: however the leader ends, followers do not wait for ever. Abandons
/// the fill unless it is settled, and takes it out of the table. Threads: the leader's loop.
class FillLead {
 public:
  FillLead() = default;
  FillLead(FillTable& table, base::Ref<Fill> fill);
  FillLead(FillLead&& other) noexcept;
  FillLead& operator=(FillLead&& other) noexcept;
  ~FillLead();

  const base::Ref<Fill>& fill() const { return fill_; }
  /// As the destructor.
  void end();

 private:
  FillTable* table_ = nullptr;
  base::Ref<Fill> fill_;
};

}  // namespace headgate::cache
