// SPDX-License-Identifier: MIT
// Sampled GDSF: small and often used entries stay, so more requests hit and fewer octets do.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "appliance/cache/policy/policy.h"
#include "appliance/cache/policy/policy_group.h"

namespace headgate::cache {

/// An entry's priority is what it was worth when last used: the age of the cache then, plus uses
/// per octet. The least of 32 entries drawn at random goes, and its priority becomes the age, so
/// that what is used no more is overtaken. (Cherkasova, "Improving WWW proxies performance with
/// Greedy-Dual-Size-Frequency", HPL-98-69R1, all costs 1; sampling instead of a heap.) It is not
/// scan-resistant, and its byte miss ratio is worse than the others'. Of a group, the fullest
/// member evicts.
class Gdsf final : public Policy {
 public:
  Gdsf(std::shared_ptr<PolicyGroup> group, std::size_t member);

  bool on_insert(Entry& entry, Entry* instead_of) override;
  void on_hit(Entry& entry) override;
  void on_remove(Entry& entry) override;
  Entry* evict(std::uint64_t capacity_bytes) override;
  Stats stats() const override;

 private:
  void value(Entry& entry) const;
  void bytes_changed(std::uint64_t from, std::uint64_t to);
  Entry* sample();

  const std::shared_ptr<PolicyGroup> group_;
  const std::size_t member_;
  std::vector<Entry*> entries_;
  double age_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;  ///< xorshift64; never 0
};

}  // namespace headgate::cache
