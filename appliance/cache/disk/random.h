// SPDX-License-Identifier: MIT
// Numbers that nobody else draws.
#pragma once

#include <cstdint>
#include <random>

namespace headgate::cache::disk {

inline std::uint64_t random_number() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

}  // namespace headgate::cache::disk
