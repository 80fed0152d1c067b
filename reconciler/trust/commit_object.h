// SPDX-License-Identifier: MIT
// A commit as git stores it: what it says, and what its signature signs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schema/base/result.h"

namespace headgate::reconciler {

/// Ids are full and in lower-case hex.
struct CommitObject {
  std::string id;
  std::string tree;
  std::vector<std::string> parents;
  std::int64_t time = 0;  ///< the committer's, in seconds since 1970
  std::string signature;  ///< of the field gpgsig; empty: unsigned
  std::string payload;    ///< the commit without that field, which is what it signs
};

/// Stricter than git, so that no two readers can see different commits in the same octets: the
/// fields tree, parent, author, committer once and in this order, one gpgsig at most, none of
/// another hash. Errors: Blame::Config.
Result<CommitObject> parse_commit(std::string id, std::string_view octets);

}  // namespace headgate::reconciler
