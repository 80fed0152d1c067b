// SPDX-License-Identifier: MIT
// Interns chains of transformations.
#include "appliance/guard/waf/text/chain.h"

#include "appliance/base/assert.h"

namespace headgate::guard::waf {

ChainId ChainTable::intern(std::span<const Transformation> steps) {
  ChainId at = 0;
  for (const Transformation step : steps) {
    ChainId next = 0;
    for (std::size_t i = at; i < nodes_.size() && next == 0; ++i) {
      if (nodes_[i].parent == at && nodes_[i].last == step) next = static_cast<ChainId>(i + 1);
    }
    if (next == 0) {
      HG_ASSERT(nodes_.size() < 65535);
      nodes_.push_back({at, step});
      next = static_cast<ChainId>(nodes_.size());
    }
    at = next;
  }
  return at;
}

}  // namespace headgate::guard::waf
