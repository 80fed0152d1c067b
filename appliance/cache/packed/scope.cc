// SPDX-License-Identifier: MIT
#include "appliance/cache/packed/scope.h"

#include <cstring>

namespace headgate::cache {
std::string pack(const Scope& scope) {
  const PackedScope head = {
      .host_label = scope.host_label,
      .behavior_label = scope.behavior_label,
      .distribution_at =
          static_cast<std::uint32_t>(scope.distribution.data() - scope.key_begin.data()),
      .distribution_size = static_cast<std::uint32_t>(scope.distribution.size())};
  std::string packed(reinterpret_cast<const char*>(&head), sizeof head);
  packed += scope.key_begin;
  return packed;
}

Scope unpack_scope(std::string_view packed) {
  PackedScope head;
  std::memcpy(&head, packed.data(), sizeof head);
  Scope scope;
  scope.key_begin = unpack_key_begin(packed);
  scope.distribution = scope.key_begin.substr(head.distribution_at, head.distribution_size);
  scope.host_label = head.host_label;
  scope.behavior_label = head.behavior_label;
  return scope;
}

}  // namespace headgate::cache
