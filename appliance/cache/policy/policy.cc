// SPDX-License-Identifier: MIT
#include "appliance/cache/policy/policy.h"

#include <utility>

#include "appliance/cache/policy/gdsf.h"
#include "appliance/cache/policy/lru.h"
#include "appliance/cache/policy/policy_group.h"
#include "appliance/cache/policy/s3fifo.h"

namespace headgate::cache {

std::size_t next_member(const PolicyGroup& group, std::uint64_t capacity_bytes) {
  return group.oldest(group.next_queue(capacity_bytes));
}

std::unique_ptr<Policy> make_policy(Policy::Kind kind, const Policy::Options& options) {
  return make_policy(kind, std::make_shared<PolicyGroup>(1, options), 0);
}

std::unique_ptr<Policy> make_policy(Policy::Kind kind, std::shared_ptr<PolicyGroup> group,
                                    std::size_t member) {
  switch (kind) {
    case Policy::Kind::Lru:
      return std::make_unique<Lru>(std::move(group), member);
    case Policy::Kind::Gdsf:
      return std::make_unique<Gdsf>(std::move(group), member);
    case Policy::Kind::S3Fifo:
      break;
  }
  return std::make_unique<S3Fifo>(std::move(group), member);
}

std::string_view name_of(Policy::Kind kind) {
  switch (kind) {
    case Policy::Kind::Lru:
      return "lru";
    case Policy::Kind::Gdsf:
      return "gdsf";
    case Policy::Kind::S3Fifo:
      break;
  }
  return "s3fifo";
}

std::optional<Policy::Kind> policy_named(std::string_view name) {
  for (const Policy::Kind kind : kEveryPolicy)
    if (name == name_of(kind)) return kind;
  return std::nullopt;
}

}  // namespace headgate::cache
