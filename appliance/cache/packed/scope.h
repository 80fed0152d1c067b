// SPDX-License-Identifier: MIT
// What the keys of one host and behavior have in common.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headgate::cache {

/// Of a key whose path is part of it: `key_begin` is what stands before that.
struct Scope {
  std::string_view key_begin;
  std::string_view distribution;  ///< a part of key_begin
  std::uint64_t host_label = 0;
  std::uint64_t behavior_label = 0;
};

/// What `pack` writes, but for the key's beginning, which follows.
struct PackedScope {
  std::uint64_t host_label = 0;
  std::uint64_t behavior_label = 0;
  std::uint32_t distribution_at = 0;
  std::uint32_t distribution_size = 0;
};

std::string pack(const Scope& scope);
/// Views of `packed`.
Scope unpack_scope(std::string_view packed);
/// Its key_begin, for less.
inline std::string_view unpack_key_begin(std::string_view packed) {
  return {packed.data() + sizeof(PackedScope), packed.size() - sizeof(PackedScope)};
}

}  // namespace headgate::cache
