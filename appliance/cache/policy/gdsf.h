// SPDX-License-Identifier: MIT
// GDSF: small and often used entries stay, so more requests hit and fewer octets do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "appliance/cache/policy/policy.h"
#include "appliance/cache/policy/policy_group.h"

namespace headgate::cache {

/// An entry's priority is what it was worth when last used: the age of the cache then, plus uses
/// per octet of its object. The least of all members goes, and its priority becomes the age, so
/// that what is used no more is overtaken; among equals, the key's hash decides. (Cherkasova,
/// "Improving WWW proxies performance with Greedy-Dual-Size-Frequency", HPL-98-69R1, all costs 1.)
/// It is not scan-resistant, and its byte miss ratio is worse than the others'.
///
/// A use only raises the priority. The entry's place in the heap is by what that was when it was
/// last looked at, which is never more: an entry that comes to the top with less than it is worth
/// now goes back down. So a hit takes constant time. An entry costs eight octets beside its own.
class Gdsf final : public Policy {
 public:
  Gdsf(std::shared_ptr<PolicyGroup> group, std::size_t member);

  bool on_insert(Entry& entry, Entry* instead_of, std::uint64_t object_bytes) override;
  void on_hit(Entry& entry) override;
  void on_remove(Entry& entry) override;
  Entry* evict(std::uint64_t capacity_bytes) override;
  Stats stats() const override;

 private:
  double worth(const Entry& entry) const;
  void set(std::size_t at, Entry* entry);
  void raise(std::size_t at, Entry* entry);
  void sink(std::size_t at, Entry* entry);
  void tell_group();

  const std::shared_ptr<PolicyGroup> group_;
  const std::size_t member_;
  std::vector<Entry*> heap_;  ///< the least first; an entry knows where it is
  /// Octets of the wholes of those that are parts: few, for parts are large.
  std::unordered_map<const Entry*, std::uint64_t> wholes_;
  std::uint64_t bytes_ = 0;
};

}  // namespace headgate::cache
