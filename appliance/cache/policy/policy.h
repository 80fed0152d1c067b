// SPDX-License-Identifier: MIT
// Which of the stored entries goes next: what every policy does, and the policies there are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace headgate::cache {

class PolicyGroup;

/// Orders entries that the caller owns; knows sizes and uses, nothing of what is stored. Fits a
/// shard: no threads of its own.
class Policy {
 public:
  enum class Kind : std::uint8_t {
    S3Fifo,  ///< Yang et al., SOSP 2023: small FIFO, main clock, ghosts
    Lru,     ///< least recently used
    Gdsf,    ///< greedy dual size frequency (Cherkasova 1998)
  };

  struct Entry {
    struct Links {
      Entry* newer = nullptr;
      Entry* older = nullptr;
    };
    struct Ranked {
      double priority;
      double at_place;  ///< the priority by which it has its place
    };

    // In 32 octets: there are millions of these.
    std::uint64_t charge : 44 = 0;  ///< octets; set before on_insert, not changed after
    // The rest is the policy's, but for `fingerprint`.
    std::uint64_t recalled : 2 = 0;  ///< PolicyGroup::Recalled
    std::uint64_t queue : 2 = 0;
    std::uint64_t uses : 16 = 0;
    std::uint32_t fingerprint = 0;  ///< of the key
    /// PolicyGroup::short_turn of when it entered its queue, or its place where it has one.
    std::uint32_t turn = 0;
    union {
      Links links = {};
      Ranked ranked;
    };

    static constexpr std::uint64_t kMaxCharge = (std::uint64_t{1} << 44) - 1;
    void set_charge(std::uint64_t octets) { charge = octets & kMaxCharge; }
  };

  static_assert(sizeof(Entry) == 32);

  struct Options {
    std::uint64_t capacity_bytes = 0;
    std::uint32_t max_ghosts = 0;  ///< of those policies that remember what has gone
  };

  struct Stats {
    std::uint64_t resident_bytes = 0;  ///< the charges of all entries
    std::uint64_t new_bytes = 0;       ///< of these, of entries that have yet to prove themselves
    std::uint64_t memory_bytes = 0;    ///< of its own tables, and its part of the group's
  };

  Policy() = default;
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;
  virtual ~Policy() = default;

  /// `instead_of`: leaves; `entry` is put where a use would have left it. `object_bytes`: octets of
  /// the whole of which the entry is a part, for who judges by size; 0: it is all of it. Whether it
  /// was evicted not long ago, as far as the policy remembers: then this is its second use.
  virtual bool on_insert(Entry& entry, Entry* instead_of = nullptr,
                         std::uint64_t object_bytes = 0) = 0;
  /// The hit path: constant time, no allocation.
  virtual void on_hit(Entry& entry) = 0;
  /// Left for another reason than eviction: nothing is remembered of it.
  virtual void on_remove(Entry& entry) = 0;
  /// Unlinks the entry to go. Null when another member of the group has the next one, or none has
  /// any: `next_member` tells. `capacity_bytes`: what the entries of all members may take at
  /// present, which is less than in the Options while tables need room.
  virtual Entry* evict(std::uint64_t capacity_bytes) = 0;
  virtual Stats stats() const = 0;
};

/// The member that has the next entry to go; `members()` of the group when there is none.
std::size_t next_member(const PolicyGroup& group, std::uint64_t capacity_bytes);

/// One that is alone.
std::unique_ptr<Policy> make_policy(Policy::Kind kind, const Policy::Options& options);
std::unique_ptr<Policy> make_policy(Policy::Kind kind, std::shared_ptr<PolicyGroup> group,
                                    std::size_t member);

inline constexpr std::array kEveryPolicy = {Policy::Kind::S3Fifo, Policy::Kind::Lru,
                                            Policy::Kind::Gdsf};
/// "s3fifo", "lru", "gdsf".
std::string_view name_of(Policy::Kind kind);
std::optional<Policy::Kind> policy_named(std::string_view name);

}  // namespace headgate::cache
