// SPDX-License-Identifier: MIT
// Chains of transformations, each known by a small number; chains with a common beginning share it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "appliance/guard/waf/text/transformation.h"

namespace headgate::guard::waf {

/// 0 is the empty chain: the text as it is.
using ChainId = std::uint16_t;

/// All chains of a rule set, as a tree: a chain's parent is the chain without its last step.
/// Threads: const members are safe everywhere.
class ChainTable {
 public:
  /// The number of `steps`, the same for the same steps. At most 65,535 different ones.
  ChainId intern(std::span<const Transformation> steps);

  std::size_t size() const { return nodes_.size() + 1; }
  /// Of a chain that is not empty; parent(id) < id.
  ChainId parent(ChainId id) const { return nodes_[id - 1u].parent; }
  Transformation last(ChainId id) const { return nodes_[id - 1u].last; }

 private:
  struct Node {
    ChainId parent;
    Transformation last;
  };
  std::vector<Node> nodes_;
};

}  // namespace headgate::guard::waf
